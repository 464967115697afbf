"""What is asked: the audit plan, frozen, validated, versioned and hashed. No torch."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .errors import UsageError

VERSION = 1
"""Version of the plan; part of its digest, so cached base results are never reused across versions."""

METRICS = ("denoiser_drift", "semantic", "color", "kid")
"""Every metric an audit can run, in the order they are run and shown."""

LOSSES = ("l1", "l2")

MAX_TIMESTEPS = 1000
"""Timesteps of the models that are audited."""

_DRAWN = {"color", "kid"}
"""Metrics of drawn images."""
_SIDES = 3
"""Sides whose images are compared: base, tuned, and the base with other seeds."""

FLOOR_PROMPTS = 8
"""Prompts whose predictions the base repeats row by row, to see what arithmetic alone changes."""

READING_PICTURES = 8
"""Pictures of its own that the base is checked on: each has thousands of numbers, and a right and a wrong reading of
it are factors apart (`reading`)."""
READING_LEVELS = (0.5, 0.4, 0.3, 0.2)
"""Noise levels of that check: the share s of the picture where s^2 + sigma^2 = 1. With more of the picture than this,
noise and v are alike, so that a wrong reading looks right; with less, there is little to see."""
READING_ROWS = 2 * len(READING_LEVELS)
"""UNet rows of one picture: it is asked as it was drawn, and scaled to a mean square of 1."""


@dataclass(frozen=True)
class Stage:
    """One round of successive elimination in the Diffusion Classifier (Li et al. 2023, sec. 4)."""

    samples: int
    """Evenly spaced timesteps that every surviving class has seen by the end of the round."""
    keep: int
    """Classes that survive it."""


@dataclass(frozen=True)
class Prompt:
    """One concept-free prompt."""

    text: str
    """What the model is asked for."""
    group: str
    """What kind of prompt it is: objects, animals, people, scenes, styles, colours."""
    term: str = ""
    """The basic colour term it asks for, if it does."""


@dataclass(frozen=True)
class AuditPlan:
    """Everything that determines an audit's numbers, apart from the models."""

    preset: str
    """Name of the preset it was made from."""
    seed: int
    """Seed of every noise that is drawn."""
    metrics: tuple[str, ...]
    """Metrics to run."""
    dataset: str
    """Labelled images: "generated", "demo" or "folder"."""
    dataset_digest: str
    """SHA-256 of a folder's images and labels; empty for data sets that the plan determines."""
    classes: tuple[str, ...]
    """Class names of the labelled images, in label order."""
    class_prompt: str
    """Prompt of a class; {} stands for its name with article."""
    per_class: int
    """Labelled images per class; 0 takes all there are."""
    stages: tuple[Stage, ...]
    """Rounds of the diffusion classifier; the last keeps one class."""
    loss: str
    """Denoising error: "l1" or "l2"."""
    prompts: tuple[Prompt, ...]
    """Concept-free prompts for generated images and for denoiser_drift."""
    images_per_prompt: int
    """Images drawn of each prompt."""
    sampling_steps: int
    """DDIM steps of an image."""
    guidance_scale: float
    """Classifier-free guidance of an image."""
    drift_timesteps: int
    """Evenly spaced timesteps of denoiser_drift."""
    features: str
    """Feature network of KID."""
    version: int = VERSION
    """Plan version."""

    def __post_init__(self) -> None:
        _check(set(self.metrics) <= set(METRICS), f"metrics must be among {', '.join(METRICS)}")
        _check(len(self.metrics) > 0, "at least one metric is needed")
        _check(len(self.classes) >= 2, "at least two classes are needed to classify")
        _check(len(set(self.classes)) == len(self.classes), "class names must differ")
        _check(self.loss in LOSSES, f"loss must be one of {', '.join(LOSSES)}")
        _check(self.per_class >= 0 and self.images_per_prompt >= 1, "image counts must be positive")
        _check(self.sampling_steps >= 1 and self.drift_timesteps >= 1, "steps must be positive")
        _check(len(self.prompts) >= 1, "at least one prompt is needed")
        _check("{}" in self.class_prompt, "the class prompt needs {} where the class name goes")
        _check_stages(self.stages)

    @property
    def class_prompts(self) -> tuple[str, ...]:
        """Prompt of each class, in label order."""
        return tuple(self.class_prompt.replace("{}", with_article(name)) for name in self.classes)

    @property
    def timesteps(self) -> int:
        """Timesteps that a class which survives every round has seen."""
        return self.stages[-1].samples

    @property
    def images(self) -> int:
        """Images drawn by each of base and tuned."""
        return len(self.prompts) * self.images_per_prompt


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(f"plan: {message}.")


def _check_stages(stages: tuple[Stage, ...]) -> None:
    _check(len(stages) >= 1, "at least one stage is needed")
    _check(stages[-1].samples <= MAX_TIMESTEPS, f"a model has {MAX_TIMESTEPS} timesteps, so samples end there")
    _check(stages[-1].keep == 1, "the last stage must keep one class")
    pairs = list(pairwise(stages))
    _check(all(a.samples < b.samples for a, b in pairs), "samples must grow from stage to stage")
    _check(all(a.keep > b.keep for a, b in pairs), "fewer classes must survive each stage")
    _check(all(s.samples >= 1 and s.keep >= 1 for s in stages), "samples and keep must be positive")
    _check(
        all(stages[-1].samples % s.samples == 0 for s in stages),
        "each stage's samples must divide the last stage's, so that timesteps are evenly spaced",
    )


def with_article(name: str) -> str:
    """Return the class name with "a" or "an" before it."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def plan_data(plan: AuditPlan) -> dict[str, Any]:
    """Return the plan as plain data for JSON."""
    return json.loads(json.dumps(dataclasses.asdict(plan)))


def plan_digest(plan: AuditPlan) -> str:
    """Return the SHA-256 of the plan's canonical JSON."""
    text = json.dumps(dataclasses.asdict(plan), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def stage_positions(stages: tuple[Stage, ...]) -> list[list[int]]:
    """Return, for each stage, which of the last stage's timesteps it adds (the Diffusion Classifier's choice)."""
    total = stages[-1].samples
    seen: set[int] = set()
    rounds = []
    for stage in stages:
        stride = total // stage.samples
        added = [i for i in range(total)[stride // 2 :: stride][: stage.samples] if i not in seen]
        seen.update(added)
        rounds.append(added)
    return rounds


def semantic_rows(plan: AuditPlan) -> int:
    """Return the UNet rows that classifying one image costs."""
    alive, rows = len(plan.classes), 0
    for stage, added in zip(plan.stages, stage_positions(plan.stages), strict=True):
        rows += alive * len(added)
        alive = min(alive, stage.keep)
    return rows


@dataclass(frozen=True)
class Cost:
    """UNet rows of each part of an audit, for one of base and tuned."""

    denoiser_drift: int
    """Predictions on noised latents."""
    semantic: int
    """Diffusion classifier."""
    images: int
    """Generated images for color, kid and the picture pairs."""
    probes: int
    """Labelled images made by the base; 0 where they come from a folder."""
    latents: int
    """Images made by the base only to be noised, for denoiser_drift or `reading`; 0 where it draws them anyway."""
    repeats: int
    """Predictions that the base repeats for the floor of denoiser_drift."""
    reading: int
    """Predictions that show whether the base is read as it was trained."""
    compared: int
    """Images that color and kid look at once all are drawn. Each counts as a row, though it takes less."""

    @property
    def tuned(self) -> int:
        """Rows of the tuned model: every LoRA pays them."""
        return self.denoiser_drift + self.semantic + self.images

    @property
    def base(self) -> int:
        """Rows of the base: paid once, then cached. Classifier and images count twice: once for the comparison,
        once with other seeds for the noise floor."""
        twice = 2 * (self.semantic + self.images)
        return self.denoiser_drift + twice + self.probes + self.latents + self.repeats + self.reading


def audit_cost(plan: AuditPlan, labelled: int) -> Cost:
    """Return the cost of a plan over `labelled` labelled images."""
    per_image = image_rows(plan)
    drift, semantic = "denoiser_drift" in plan.metrics, "semantic" in plan.metrics
    images, checked = needs_images(plan), min(READING_PICTURES, len(plan.prompts))
    return Cost(
        denoiser_drift=drift * len(plan.prompts) * plan.drift_timesteps,
        semantic=semantic * labelled * semantic_rows(plan),
        images=images * plan.images * per_image,
        probes=(semantic and plan.dataset == "generated") * labelled * per_image,
        latents=(not images) * (len(plan.prompts) if drift else checked) * per_image,
        repeats=drift * min(FLOOR_PROMPTS, len(plan.prompts)) * plan.drift_timesteps,
        reading=checked * READING_ROWS,
        compared=_SIDES * plan.images * len(_DRAWN & set(plan.metrics)),
    )


def sample_rows(plan: AuditPlan) -> dict[str, int]:
    """Return the UNet rows that one stored sample costs, for each stage of `sides`."""
    image, semantic = image_rows(plan), semantic_rows(plan)
    return {
        "draw": image,
        "draw-other": image,
        "probe": image,
        "predict": plan.drift_timesteps,
        "predict-again": plan.drift_timesteps,
        "reading": READING_ROWS,
        "classify": semantic,
        "classify-other": semantic,
    }


def image_rows(plan: AuditPlan) -> int:
    """Return the UNet rows that drawing one image costs: guidance needs a second, empty prompt."""
    return plan.sampling_steps * (1 if plan.guidance_scale == 1 else 2)


def needs_images(plan: AuditPlan) -> bool:
    """Return whether the tuned model has to draw images."""
    return bool(_DRAWN & set(plan.metrics))
