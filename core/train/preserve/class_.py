"""`class`: the base's prediction on the same noised pictures, with the trigger taken out of the caption.

Known elsewhere as differential output preservation or prior prediction.
"""

from ...plan.train_plan import term_rows
from ..data.rows import Draw, Rows
from .term import Question, Situation, Term, cycled


class ClassTerm(Term):
    """Captions that name the class instead of the concept."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def questions(self, concept: Rows, draw: Draw) -> tuple[Question, ...]:
        """Return the concept's noised latents under stripped captions."""
        plan, strip = self._situation.plan, self._situation.concept.strip
        rows = cycled(concept, term_rows(plan))
        return (Question(rows.captioned([strip(caption, plan.caption) for caption in rows.captions]), None),)


def make(situation: Situation) -> Term:
    """Return the term; a class that is missing is noticed before the first step."""
    situation.concept.strip("", situation.plan.caption)
    return ClassTerm(situation)
