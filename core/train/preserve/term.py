"""What a preservation term asks of a training step."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ...model.denoiser import TrainableDenoiser
from ...plan.train_plan import TrainPlan
from ..data.bank import Bank
from ..data.captions import Concept
from ..data.concept import ConceptData
from ..data.drawings import Drawings
from ..data.rows import Draw, Rows
from ..methods.method import Method


@dataclass(frozen=True)
class Question:
    """Rows whose prediction is to stay, or become, what a target says."""

    rows: Rows
    """Noised latents and captions for the student."""
    target: torch.Tensor | None
    """(N, C, h, w) what to predict; None for what the base predicts on the same rows."""


@dataclass(frozen=True)
class Situation:
    """What terms are made from."""

    denoiser: TrainableDenoiser
    """The base, with the method attached."""
    method: Method
    """What is trained."""
    plan: TrainPlan
    """The plan."""
    concept: Concept
    """How the concept is called."""
    bank: Bank
    """Concept-free prompts."""
    drawings: Drawings
    """Draws latents with the base, each once."""
    data: ConceptData
    """The concept's pictures."""


class Term:
    """A preservation term. A file overrides what it needs."""

    def questions(self, concept: Rows, draw: Draw) -> tuple[Question, ...]:
        """Return the rows to ask along with a batch of the concept's rows, one latent shape a question."""
        return ()

    def penalty(self) -> torch.Tensor | None:
        """Return a scalar with gradients that needs no rows, if any."""
        return None


def make_term(name: str, situation: Situation) -> Term:
    """Return the term that the file `name` (with an underscore for a Python keyword) makes."""
    make: Callable[[Situation], Term] = importlib.import_module(f".{_file(name)}", __package__).make
    return make(situation)


def _file(name: str) -> str:
    return "class_" if name == "class" else name


def all_terms() -> tuple[str, ...]:
    """Return the names of all terms, from the files of this folder."""
    files = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return tuple(sorted(name.rstrip("_") for name in files if name != "term"))


def cycled(rows: Rows, count: int) -> Rows:
    """Return `count` rows: the first ones, or all of them over and over."""
    return rows if count == len(rows) else rows.take([i % len(rows) for i in range(count)])
