"""Does a LoRA draw its concept? Asked with reference pictures of it, as trainings ask at their end."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .. import families
from ..disk.files import LeftOut, named
from ..errors import Setting, UsageError, naming
from ..families.prompt_form import IN_SENTENCES, PromptForm
from ..metrics.images.features import FeatureNetwork
from ..pictures import SUFFIXES, cover, open_picture
from ..pictures.folder import pictures_in
from ..plan.concept import CAPTION, Concept, tidy
from ..progress import BASE, LORA, Progress
from ..verdict.learning import Learning, not_measured
from .change import Change
from .learned.evidence import REFERENCES, ConceptAsked, Drawing, Images, drawn_rows
from .learned.measure import measure_learning

_LONGEST = 300
"""Characters of the concept's name: text encoders read about as many."""
_SETTING = Setting("references")


@dataclass(frozen=True)
class References:
    """Pictures of a concept, and what they are compared by."""

    pictures: Images
    """Square, at the side that the base draws."""
    networks: Sequence[FeatureNetwork]
    """What sees them."""

    @property
    def digest(self) -> str:
        """SHA-256 of the pictures and of the networks' weights."""
        sha = hashlib.sha256("|".join(network.digest for network in self.networks).encode())
        for picture in self.pictures:
            sha.update(f"{tuple(picture.shape)}|".encode() + picture.numpy().tobytes())
        return sha.hexdigest()


def read_references(folder: Path, side: int) -> Images:
    """Return the centres of a folder's pictures (3, side, side); raise UsageError where there are none."""
    with naming(_SETTING):
        paths, _ = _found_in(folder)
        return tuple(torch.from_numpy(cover(open_picture(path), side, side)) for path in paths)


def left_out_of(folder: Path) -> Sequence[LeftOut]:
    """Return what in a folder of references is not used; raise UsageError where it cannot be read or has no picture."""
    with naming(_SETTING):
        return _found_in(folder)[1]


def _found_in(folder: Path) -> tuple[Sequence[Path], Sequence[LeftOut]]:
    paths, left_out = pictures_in(folder)
    if not paths:
        others = f" Not read: {named(left_out, folder)}." if left_out else ""
        raise UsageError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}).{others}")
    return paths, left_out


def concept_of(told: Sequence[str], claimed: Sequence[str]) -> Concept | None:
    """Return the concept by the user's words, else by those that the file claims; None where nobody says any.

    The last of several words is its class, as in "sks dog".
    """
    words = tidy(next(iter((*told, *claimed)), "")[:_LONGEST])
    return Concept(words, words.split()[-1] if " " in words else "") if words else None


def likeness_rows(
    concept: Concept | None, family: str, form: PromptForm = IN_SENTENCES, usual: families.Drawing = families.USUAL
) -> int:
    """Return the UNet rows that `measure_references` costs at the most."""
    return 0 if concept is None else drawn_rows(concept, family, form, usual)


def measure_references(
    references: References, concept: Concept | None, drawing: Drawing, form: PromptForm = IN_SENTENCES
) -> Learning:
    """Return how far what the model draws of the concept, asked in a form, is like the references."""
    if concept is None:
        said = "Likeness to the references was not measured: nobody says by which words the LoRA is asked for."
        return not_measured(said, Setting("concept"))
    pictures = references.pictures
    asked = ConceptAsked(concept, CAPTION, pictures, pictures, REFERENCES, form)
    found = measure_learning(asked, drawing, lambda: references.networks)
    # What a training may change is not for an audit to set; more pictures are.
    ours = tuple(_SETTING for setting in found.settings if setting.name == "validation")
    return replace(found, settings=ours)


@contextmanager
def without(change: Change, progress: Progress) -> Iterator[None]:
    """Return a context in which the model is the base, whose work is no LoRA's; behind it the change is on."""
    progress.subject(BASE)
    change.off()
    yield
    progress.subject(LORA)
    change.on()
