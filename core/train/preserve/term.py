"""What a preservation term is: the record at the end of its file, and the registry that finds it there.

A term's file imports torch in functions only: plans are checked, and options listed, from these records.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...registry import records

if TYPE_CHECKING:
    import torch

    from ...model.diffusion.denoiser import TrainableDenoiser
    from ...model.diffusion.drawings import LatentCache
    from ...plan.concept import Concept
    from ..data.bank import Bank
    from ..data.concept import ConceptData
    from ..data.rows import Draw, Rows
    from ..data.text_cache import TextCache
    from ..methods.method import Method
    from ..plan import TrainPlan


@dataclass(frozen=True)
class Examples:
    """Rows whose prediction is to stay, or become, what a target says."""

    rows: "Rows"
    """Noised latents and captions for the student, of one latent shape."""
    target: "torch.Tensor | None"
    """(N, C, h, w) what to predict; None for what the base predicts on the same rows."""


@dataclass(frozen=True)
class TermContext:
    """What terms are made from."""

    denoiser: "TrainableDenoiser"
    """The base, with the method attached."""
    method: "Method"
    """What is trained."""
    plan: "TrainPlan"
    """The plan."""
    concept: "Concept"
    """How the concept is called."""
    bank: "Bank"
    """Concept-free prompts."""
    drawings: "LatentCache"
    """Draws latents with the base, each once."""
    data: "ConceptData"
    """The concept's pictures."""
    texts: "TextCache"
    """What the base's text encoders make of captions."""


class Regularizer:
    """A term in a training: what it adds to the loss of a step. A file overrides one of the two."""

    def examples(self, concept: "Rows", draw: "Draw") -> tuple[Examples, ...]:
        """Return what to ask along with a batch of the concept's rows."""
        return ()

    def penalty(self) -> "torch.Tensor | None":
        """Return a scalar with gradients that needs no rows, if any."""
        return None


def as_many_as_planned(plan: "TrainPlan") -> int:
    """Return the rows of one UNet batch that the plan gives to each term."""
    return plan.term_rows


def none_asked(plan: "TrainPlan") -> int:
    """Return 0."""
    return 0


def none_drawn(plan: "TrainPlan", bank: "Bank") -> int:
    """Return 0."""
    return 0


@dataclass(frozen=True)
class Term:
    """One preservation term: everything that plan, costs and hosts know of it."""

    name: str
    """Name in plans; that of its file, which has an underscore behind a word of Python's."""
    order: int
    """Terms are listed by this number."""
    help: str
    """What its loss is, in one line."""
    weight: float
    """Weight of its loss by default."""
    make: Callable[[TermContext], Regularizer]
    """Makes it for a training, the adapter off; the base draws its pictures now, unless it did so before."""
    student_rows: Callable[["TrainPlan"], int] = as_many_as_planned
    """Rows with gradients that it adds to one UNet batch."""
    teacher_rows: Callable[["TrainPlan"], int] = as_many_as_planned
    """Rows of the base's predictions for one UNet batch; none where the target is another."""
    drawings: Callable[["TrainPlan", "Bank"], int] = none_drawn
    """Pictures that the base draws before the first step."""
    weighs_changes: bool = False
    """Whether it asks for every change of a weight at once, all of which are in memory until the backward pass."""
    needs_class: bool = False
    """Whether it preserves the class, so that nothing can be preserved where nobody names one."""


@cache
def all_terms() -> tuple[Term, ...]:
    """Return every term in the order in which they are listed."""
    return tuple(sorted(records(__name__, "TERM", Term), key=lambda term: term.order))


def find_term(name: str) -> Term:
    """Return the term called `name`; raise UsageError that lists the known ones."""
    term = next((term for term in all_terms() if term.name == name), None)
    if term is None:
        raise UsageError(f"Unknown term {name!r}; there are {', '.join(t.name for t in all_terms())}.")
    return term


def make_regularizer(name: str, context: TermContext) -> Regularizer:
    """Return the term called `name` for a training; raise UsageError where it needs a class and there is none."""
    term = find_term(name)
    if term.needs_class:
        context.concept.require_class()
    return term.make(context)
