"""`blank`: the base's prediction on the same noised pictures under the empty caption."""

from typing import TYPE_CHECKING

from .term import Examples, Regularizer, Term, TermContext

if TYPE_CHECKING:
    from ..data.rows import Draw, Rows


class BlankPreservation(Regularizer):
    """The empty caption on the concept's pictures."""

    def __init__(self, context: TermContext) -> None:
        self._count = context.plan.term_rows

    def examples(self, concept: "Rows", draw: "Draw") -> tuple[Examples, ...]:
        """Return the concept's noised latents without captions."""
        return (Examples(concept.cycled(self._count).captioned([""] * self._count), None),)


TERM = Term(
    name="blank", order=3, help="the base's prediction on the empty caption", weight=1.0, make=BlankPreservation
)
