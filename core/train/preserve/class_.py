"""`class`: the base's prediction on the same noised pictures, with the trigger taken out of the caption.

Known elsewhere as differential output preservation or prior prediction.
"""

from typing import TYPE_CHECKING

from .term import Examples, Regularizer, Term, TermContext

if TYPE_CHECKING:
    from ..data.rows import Draw, Rows


class ClassPreservation(Regularizer):
    """Captions that name the class instead of the concept."""

    def __init__(self, context: TermContext) -> None:
        self._plan, self._concept = context.plan, context.concept

    def examples(self, concept: "Rows", draw: "Draw") -> tuple[Examples, ...]:
        """Return the concept's noised latents under stripped captions."""
        rows = concept.cycled(self._plan.term_rows)
        captions = [self._concept.strip(caption, self._plan.caption) for caption in rows.captions]
        return (Examples(rows.captioned(captions), None),)


TERM = Term(
    name="class",
    order=2,
    help="the base's prediction on captions with the trigger taken out",
    weight=1.0,
    make=ClassPreservation,
    needs_class=True,
)
