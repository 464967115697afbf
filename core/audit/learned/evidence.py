"""The pictures behind the question whether a concept was learned: drawn by base and tuned model, and views of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from ... import families
from ...families.prompt_form import IN_SENTENCES, SENTENCES, PromptForm
from ...model.diffusion.batch import Batching
from ...model.diffusion.denoiser import Denoiser
from ...model.diffusion.drawings import SEED, LatentCache, sampling_of
from ...model.diffusion.sample import generate_latents
from ...plan.concept import CAPTION, Concept
from ...progress import Progress
from .looks import looks

SEEDS = 24
"""Pictures of the trigger: of as many that all retrieve it, the interval's lower end is at 86 %."""
VIEWS = 16
"""Views at the most: a round trip takes seconds on a CPU, and more would narrow the interval little."""
OF_A_LOOK = 2
"""Pictures of each other look, the least from which it is known how much they differ. The base draws each once."""

Images = tuple[torch.Tensor, ...]
"""uint8 images (3, H, W), whose shapes may differ."""

HELD_OUT = "held-out pictures"
TRAINED_ON = "training pictures, each left out in turn"
REFERENCES = "reference pictures, each left out in turn"


@dataclass(frozen=True)
class ConceptAsked:
    """What is asked about, and pictures of it."""

    concept: Concept
    """How it is called."""
    caption: str
    """Caption with {} where its name goes."""
    views: Images
    """Pictures of it that are compared with, before all but some are left out."""
    training: Images
    """Pictures that were, or may have been, learned from."""
    source: str
    """Which pictures the views are: `HELD_OUT`, `TRAINED_ON` or `REFERENCES`."""
    form: PromptForm = IN_SENTENCES
    """Language of the base."""

    @property
    def prompt(self) -> str:
        """What both models are asked for; of a caption that nobody wrote, tags take the name alone."""
        if self.form.name == SENTENCES:
            return self.concept.caption(self.caption)
        template = "{}" if self.caption == CAPTION else self.caption
        return self.form.worded(template.replace("{}", self.concept.phrase))


@dataclass(frozen=True)
class Drawing:
    """Who draws, and where it is kept."""

    denoiser: Denoiser
    """The tuned model."""
    off: Callable[[], AbstractContextManager[None]]
    """A context in which it is the base."""
    cache: Path
    """Where the base's drawings are kept for the next time."""
    batch: Batching
    """UNet rows at once."""
    progress: Progress
    """Hears of rows."""
    usual: families.Drawing = families.USUAL
    """How people draw with it."""


@dataclass(frozen=True)
class ConceptEvidence:
    """What is compared."""

    prompt: str
    """What both models were asked for."""
    tuned: Images
    """Drawn by the tuned model."""
    base: Images
    """Drawn by the base from the same noise."""
    looks: tuple[Images, ...]
    """Drawn by the base, a few of each other look of the class; none where nobody says the class."""
    views: Images
    """Pictures of the concept that are compared with."""
    trips: Images
    """The same after a round trip through the autoencoder: the best that can be drawn."""
    training: Images
    """Pictures that were learned from."""
    source: str
    """Which pictures the views are."""


def drawn_rows(
    concept: Concept, family: str, form: PromptForm = IN_SENTENCES, usual: families.Drawing = families.USUAL
) -> int:
    """Return the UNet rows that gathering costs if none is cached."""
    return (2 * SEEDS + OF_A_LOOK * len(looks(concept, family, form))) * sampling_of(usual).rows


def gather(asked: ConceptAsked, drawing: Drawing) -> ConceptEvidence:
    """Return the evidence; where views may have been learned from, each is compared with the others only."""
    denoiser, batch, progress = drawing.denoiser, drawing.batch, drawing.progress
    others, views = looks(asked.concept, denoiser.family, asked.form), spread(distinct(asked.views))
    with drawing.off(), torch.no_grad():
        drawings = LatentCache(denoiser, drawing.cache, batch, progress, asked.form.negative, drawing.usual)
        base = _decoded(denoiser, drawings.latents("Base: drawing the trigger", [asked.prompt] * SEEDS))
        wanted = [look for look in others for _ in range(OF_A_LOOK)]
        drawn = _decoded(denoiser, drawings.latents("Base: drawing other looks", wanted)) if wanted else ()
        trips = tuple(denoiser.decode(denoiser.encode_image(view[None]))[0] for view in views)
    progress.stage("Drawing the concept")
    sampling, seeds = sampling_of(drawing.usual, asked.form.negative), range(SEED, SEED + SEEDS)
    tuned = generate_latents(denoiser, [asked.prompt] * SEEDS, seeds, sampling, batch, progress)
    return ConceptEvidence(
        asked.prompt,
        _decoded(denoiser, tuned),
        base,
        tuple(drawn[first : first + OF_A_LOOK] for first in range(0, len(drawn), OF_A_LOOK)),
        views,
        trips,
        distinct(asked.training),
        asked.source,
    )


def distinct(images: Images, but: Images = ()) -> Images:
    """Return the images, each once, without those that are among others.

    The same picture in two files is one view: left out and still there it would be the best likeness of itself, and it
    would say that views hardly differ and that what lies between training pictures is nothing.
    """
    known = set(map(_values, but))
    return tuple({_values(image): image for image in images if _values(image) not in known}.values())


def _values(image: torch.Tensor) -> tuple[torch.Size, bytes]:
    return image.shape, image.cpu().numpy().tobytes()


def spread(images: Images) -> Images:
    """Return at most `VIEWS` of the images, evenly spread from the first to the last."""
    if len(images) <= VIEWS:
        return images
    return tuple(images[i * (len(images) - 1) // (VIEWS - 1)] for i in range(VIEWS))


def _decoded(denoiser: Denoiser, latents: torch.Tensor) -> Images:
    with torch.no_grad():
        return tuple(image for part in latents.split(8) for image in denoiser.decode(part.to(denoiser.device)))
