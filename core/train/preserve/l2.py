"""`l2`: squared distance of the weights to the base's (as in "Preserve and Personalize", arXiv 2505.19519)."""

from typing import TYPE_CHECKING

from .term import Regularizer, Term, TermContext, none_asked

if TYPE_CHECKING:
    import torch


class WeightDistance(Regularizer):
    """The sum of squared changes over all trained layers."""

    def __init__(self, context: TermContext) -> None:
        self._method = context.method

    def penalty(self) -> "torch.Tensor":
        """Return the squared Frobenius norm of all changes together."""
        import torch

        return torch.stack([change.square().sum() for change in self._method.changes()]).sum()


TERM = Term(
    name="l2",
    order=4,
    help="squared distance to the base's weights",
    weight=3e-4,
    make=WeightDistance,
    student_rows=none_asked,
    teacher_rows=none_asked,
    weighs_changes=True,
)
