"""`blank`: the base's prediction on the same noised pictures under the empty caption."""

from ...plan.train_plan import term_rows
from ..data.rows import Draw, Rows
from .term import Question, Situation, Term, cycled


class BlankTerm(Term):
    """The empty caption on the concept's pictures."""

    def __init__(self, count: int) -> None:
        self._count = count

    def questions(self, concept: Rows, draw: Draw) -> tuple[Question, ...]:
        """Return the concept's noised latents without captions."""
        return (Question(cycled(concept, self._count).captioned([""] * self._count), None),)


def make(situation: Situation) -> Term:
    """Return the term."""
    return BlankTerm(term_rows(situation.plan))
