"""`l2`: squared distance of the weights to the base's (as in "Preserve and Personalize", arXiv 2505.19519)."""

import torch

from ..methods.method import Method
from .term import Situation, Term


class L2Term(Term):
    """The sum of squared changes over all trained layers."""

    def __init__(self, method: Method) -> None:
        self._method = method

    def penalty(self) -> torch.Tensor:
        """Return the squared Frobenius norm of all changes together."""
        return torch.stack([change.square().sum() for change in self._method.changes()]).sum()


def make(situation: Situation) -> Term:
    """Return the term."""
    return L2Term(situation.method)
