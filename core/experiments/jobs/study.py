"""What an experiment is made on: concepts, repetitions, the training that is varied, and what is asked. No torch."""

from dataclasses import dataclass
from pathlib import Path

from ...disk.files import composed, is_folder, listing
from ...errors import Setting, UsageError
from ...families import shipped
from ...text import counted
from ...train.plan import TrainPlan

TRAINED, HELD_OUT = "train", "held_out"
"""Folders inside that of a concept: pictures that are learned from, and others of it."""
_CONCEPTS = Setting("concepts")


@dataclass(frozen=True)
class ConceptPictures:
    """One concept that is taught."""

    name: str
    """Name of its folder."""
    word: str
    """What kind of thing it is."""
    pictures: Path
    """Folder of the pictures that are learned from."""
    held_out: Path | None
    """Folder of others, with which what was learned is compared; None where there are none."""


@dataclass(frozen=True)
class Asked:
    """What every LoRA is asked; see `AuditRequest`."""

    preset: str = "quick"
    """Preset of the audit."""
    images: Path | None = None
    """Folder of labelled images; None for those of the base."""
    dataset: str = ""
    """Layout of that folder; empty for the one that it has."""
    per_class: int = 0
    """Labelled images of each class; 0 leaves it to the preset."""


@dataclass(frozen=True)
class Study:
    """What an experiment is made on."""

    family: str
    """Family of the base."""
    concepts: tuple[ConceptPictures, ...]
    """What is taught."""
    seeds: int
    """Repetitions of every training, each with another seed."""
    plan: TrainPlan
    """Plain training, of which experiments vary one thing or another."""
    asked: Asked
    """What every LoRA is asked."""
    folder: Path
    """Where LoRAs, reports and results go, and what people are given."""
    reports: tuple[Path, ...] = ()
    """Folders of reports that are shown to people."""
    ratings: tuple[Path, ...] = ()
    """What people said of them."""

    def concept(self, name: str) -> ConceptPictures:
        """Return the concept of a name."""
        return next(concept for concept in self.concepts if concept.name == name)

    def require_concepts(self, least: int, most: int) -> None:
        """Raise UsageError where there are fewer concepts than an experiment needs, or more than it can tell apart."""
        known = counted(len(self.concepts), "concept")
        if len(self.concepts) < least:
            raise UsageError(f"This experiment needs at least {least} concepts; named: {known}.", _CONCEPTS)
        if len(self.concepts) > most:
            raise UsageError(f"This experiment takes at most {most} concepts; named: {known}.", _CONCEPTS)


def read_concepts(folder: Path) -> tuple[ConceptPictures, ...]:
    """Return the concepts in a folder, which has a folder for each, called after its class.

    "dog" and "coffee_mug-2" are a dog and a coffee mug; what follows a hyphen tells concepts of one class apart. The
    pictures lie in the concept's folder, or in `train` in it, with others in `held_out`. Raises UsageError where there
    is none.
    """
    if not is_folder(folder):
        raise UsageError(f"{folder}: no such folder.", _CONCEPTS)
    found = [_concept(place) for place in listing(folder) if is_folder(place)]
    if not found:
        raise UsageError(f"{folder} holds no folder of a concept's pictures.", _CONCEPTS)
    return tuple(found)


def _concept(place: Path) -> ConceptPictures:
    name = composed(place.name)
    word = name.partition("-")[0].replace("_", " ").strip()
    if not word:
        raise UsageError(f"The folder {place} is not called after what it shows.", _CONCEPTS)
    trained, others = place / TRAINED, place / HELD_OUT
    return ConceptPictures(name, word, trained if is_folder(trained) else place, others if is_folder(others) else None)


def shipped_concepts(family: str) -> tuple[ConceptPictures, ...]:
    """Return what ships for a family to be taught; raise UsageError where nothing does."""
    its = shipped().get(family)
    if its is None or its.concept is None:
        raise UsageError("Name a folder with pictures of the concepts that are to be taught.", _CONCEPTS)
    word, pictures = its.concept
    return (ConceptPictures(word, word, pictures, None),)
