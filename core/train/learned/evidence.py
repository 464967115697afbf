"""The pictures behind the question whether a concept was learned: drawn by base and tuned model, and views of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...model.denoiser import TrainableDenoiser
from ...model.sample import generate_latents
from ..data.captions import Concept
from ..data.drawings import SAMPLING, SEED, LatentCache
from ..methods.method import Switched
from ..plan import TrainPlan
from ..records import Picture, TrainSetting
from .looks import looks

SEEDS = 24
"""Pictures of the trigger: of as many that all retrieve it, the interval's lower end is at 86 %."""
VIEWS = 16
"""Views at the most: a round trip takes seconds on a CPU, and more would narrow the interval little."""
OF_A_LOOK = 2
"""Pictures of each other look, the least from which it is known how much they differ. The base draws each once."""

Images = tuple[torch.Tensor, ...]
"""uint8 images (3, H, W), whose shapes may differ."""


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
    """Which pictures the views are: `HELD_OUT` or `TRAINED_ON`."""


HELD_OUT = "held-out pictures"
TRAINED_ON = "training pictures, each left out in turn"


def drawn_rows(plan: TrainPlan, family: str) -> int:
    """Return the UNet rows that gathering costs if none is cached."""
    others = len(looks(Concept(plan.trigger, plan.class_word), family))
    return (2 * SEEDS + OF_A_LOOK * others) * SAMPLING.rows


def gather(
    denoiser: TrainableDenoiser,
    method: Switched,
    pictures: Sequence[Picture],
    held_out: Sequence[Picture],
    plan: TrainPlan,
    setting: TrainSetting,
) -> ConceptEvidence:
    """Return the evidence; the weights in place are the tuned model, and the method switched off is the base.

    Views are the held-out pictures. Where there are none they are the training pictures, and each is then compared with
    the others only.
    """
    concept = Concept(plan.trigger, plan.class_word)
    prompt, others = concept.caption(plan.caption), looks(concept, denoiser.family)
    drawings = LatentCache(denoiser, setting.cache, setting.batch, setting.progress)
    training = tuple(picture.pixels for picture in pictures)
    views = spread(tuple(picture.pixels for picture in held_out) or training)
    with method.off(), torch.no_grad():
        base = _decoded(denoiser, drawings.latents("Base: drawing the trigger", [prompt] * SEEDS))
        asked = [look for look in others for _ in range(OF_A_LOOK)]
        drawn = _decoded(denoiser, drawings.latents("Base: drawing other looks", asked)) if asked else ()
        trips = tuple(denoiser.decode(denoiser.encode_image(view[None]))[0] for view in views)
    setting.progress.stage("Drawing the concept")
    tuned = generate_latents(
        denoiser, [prompt] * SEEDS, range(SEED, SEED + SEEDS), SAMPLING, setting.batch, setting.progress
    )
    return ConceptEvidence(
        prompt,
        _decoded(denoiser, tuned),
        base,
        tuple(drawn[first : first + OF_A_LOOK] for first in range(0, len(drawn), OF_A_LOOK)),
        views,
        trips,
        training,
        HELD_OUT if held_out else TRAINED_ON,
    )


def spread(images: Images) -> Images:
    """Return at most `VIEWS` of the images, evenly spread from the first to the last."""
    if len(images) <= VIEWS:
        return images
    return tuple(images[i * (len(images) - 1) // (VIEWS - 1)] for i in range(VIEWS))


def _decoded(denoiser: TrainableDenoiser, latents: torch.Tensor) -> Images:
    with torch.no_grad():
        return tuple(image for part in latents.split(8) for image in denoiser.decode(part.to(denoiser.device)))
