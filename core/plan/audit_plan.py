"""What is asked: the audit plan, frozen, validated, versioned and hashed. No torch."""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..errors import Setting
from ..families.prompt_form import FORMS, SENTENCES, PromptForm
from .plan import asked, check, digest, plain
from .solvers import DDIM, SOLVERS

VERSION = 1
"""Version of the plan; part of its digest, so cached base results are never reused across versions."""

LOSSES = ("l1", "l2")

MAX_PER_CLASS = 100_000
"""Labelled images of a class: more than any set has. A number beyond would be years of work, begun without a word."""

COLOR_IMAGES = 20
"""Images in which each basic colour term is asked for, at least, where that is what is asked: the interval of a term
that is lost in all of them begins at 66 points, with eleven terms that hold together."""

STEP_PROMPTS = 32
"""Prompts, at most, of which a picture is drawn in more steps too: enough for an interval, at a cost that stays below
that of all pictures in few."""
STEP_FACTOR = 4
"""How many times as many steps that picture has: a distilled model of four to eight is at its end with sixteen."""

MAX_TIMESTEPS = 1000
"""Timesteps of the models that are audited."""


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
    """Labelled images: "generated", the set that ships for a family by its name, or a layout of `core/datasets`."""
    dataset_digest: str
    """SHA-256 of a folder's images and labels; empty for data sets that the plan determines."""
    classes: tuple[str, ...]
    """Class names of the labelled images, in label order."""
    class_prompt: str
    """Prompt of a class; {} stands for its name with article, {name} for its name alone."""
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
    """Denoising steps of an image."""
    guidance_scale: float
    """Classifier-free guidance of an image."""
    drift_timesteps: int
    """Evenly spaced timesteps of denoiser_drift."""
    features: str
    """Feature network of KID."""
    version: int = VERSION
    """Plan version."""
    prompt_form: str = SENTENCES
    """Language of the prompts: "sentences" or "tags"."""
    prefix: str = ""
    """Tags that every prompt begins with, as the base's makers recommend."""
    negative: str = ""
    """What guidance leads away from; empty for the empty prompt."""
    concept_rows: int = 0
    """Rows of each concept of a damage map; 0 asks none."""
    vocabulary: str = ""
    """Family whose vocabulary is asked, or that a user's words are compared with; see `shipped_vocabulary`."""
    words: tuple[str, ...] = ()
    """What a user asks instead."""
    vocabulary_digest: str = ""
    """SHA-256 of the concepts and of what they are compared with: another release may ask others."""
    open_clip: str = ""
    """Network of open_clip, "MODEL/TAG", that stands for CLIP; empty for CLIP ViT-B/32."""
    concept_run: int = 1
    """Concepts of the vocabulary in a row of which one is asked."""
    solver: str = DDIM
    """What takes these steps: one of SOLVERS."""
    resolution: int = 0
    """Side in pixels of the pictures that are asked about; 0 for that of those which the base was made for."""
    own_times: bool = False
    """Whether a base is asked at the timesteps of its own sampler, as one that was distilled to few steps is."""

    def __post_init__(self) -> None:
        metrics, images = Setting("metrics"), Setting("images")
        check(len(self.metrics) > 0, "At least one metric is needed", metrics)
        check(len(set(self.metrics)) == len(self.metrics), "A metric is named twice", metrics)
        check(len(self.classes) >= 2, "At least two classes are needed to classify", images)
        check(len(set(self.classes)) == len(self.classes), "Two classes have one name", images)
        check(self.loss in LOSSES, f"The classifier's loss is one of {', '.join(LOSSES)}", Setting("loss"))
        few = f"Between 0 and {MAX_PER_CLASS} images of a class can be measured"
        check(0 <= self.per_class <= MAX_PER_CLASS, few, Setting("per_class"))
        check(self.prompt_form in FORMS, f"Prompts are in {' or '.join(FORMS)}", Setting("prompt_form"))
        named = "{}" in self.class_prompt or "{name}" in self.class_prompt
        check(named, "The class prompt needs {} where the name goes", Setting("class_prompt"))
        _check_stages(self.stages)
        # These come from presets alone.
        check(self.images_per_prompt >= 1 and len(self.prompts) >= 1, "At least one image of one prompt is needed")
        check(self.solver in SOLVERS, f"Pictures are drawn with {' or '.join(SOLVERS)}")
        check(self.sampling_steps >= 1 and self.drift_timesteps >= 1, "At least one step is needed")

    def side(self, own: int) -> int:
        """Return the side in pixels of the pictures that a base is asked about which was made for those of `own`."""
        return self.resolution or own

    @property
    def drawn(self) -> int:
        """Steps of the sampler at whose timesteps the base is asked; 0 for evenly spaced ones."""
        return self.sampling_steps if self.own_times else 0

    @property
    def form(self) -> PromptForm:
        """How the base is asked."""
        return PromptForm(self.prompt_form, self.prefix, self.negative)

    @property
    def class_prompts(self) -> tuple[str, ...]:
        """Prompt of each class, in label order."""
        named = with_article if self.prompt_form == SENTENCES else str
        bare = [self.class_prompt.replace("{name}", name) for name in self.classes]
        return tuple(text.replace("{}", named(name)) for text, name in zip(bare, self.classes, strict=True))

    @property
    def timesteps(self) -> int:
        """Timesteps that a class which survives every round has seen."""
        return self.stages[-1].samples

    @property
    def images(self) -> int:
        """Images drawn by each of base and tuned."""
        return len(self.prompts) * self.images_per_prompt

    @property
    def color_draws(self) -> tuple[tuple[Prompt, int], ...]:
        """Prompts that ask for a colour, each with the number of an image of it: two at least, enough of every term."""
        counts = Counter(prompt.term for prompt in self.prompts)
        asking = [prompt for prompt in self.prompts if prompt.term]
        return tuple((p, trial) for p in asking for trial in range(max(2, -(-COLOR_IMAGES // counts[p.term]))))

    @property
    def step_places(self) -> range:
        """Which of the images, in their order, are drawn in more steps too: the first of prompts spread over all."""
        every = -(-len(self.prompts) // STEP_PROMPTS)
        return range(0, self.images, every * self.images_per_prompt)


def _check_stages(stages: tuple[Stage, ...]) -> None:
    setting = Setting("stages")
    check(len(stages) >= 1, "At least one stage is needed", setting)
    # Asked first, for the remainders below.
    check(all(s.samples >= 1 and s.keep >= 1 for s in stages), "Stages see and keep at least 1", setting)
    check(stages[-1].samples <= MAX_TIMESTEPS, f"A model has {MAX_TIMESTEPS} timesteps, so stages end there", setting)
    check(stages[-1].keep == 1, "The last stage must keep one class", setting)
    pairs = list(pairwise(stages))
    check(all(a.samples < b.samples for a, b in pairs), "Timesteps must grow from stage to stage", setting)
    check(all(a.keep > b.keep for a, b in pairs), "Fewer classes must survive each stage", setting)
    check(
        all(stages[-1].samples % s.samples == 0 for s in stages),
        "Each stage's timesteps must divide the last stage's, so that they are evenly spaced",
        setting,
    )


def with_article(name: str) -> str:
    """Return the class name with "a" or "an" before it."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


_LATER = (
    "prompt_form",
    "prefix",
    "negative",
    "concept_rows",
    "vocabulary",
    "words",
    "vocabulary_digest",
    "open_clip",
    "concept_run",
    "solver",
    "resolution",
    "own_times",
)
"""Fields that plans of this version once lacked: at their defaults they are left out, so that what is cached and
reported of the same questions is found."""


def _asked(plan: AuditPlan) -> dict[str, Any]:
    return asked(plan, {field.name: field.default for field in dataclasses.fields(plan) if field.name in _LATER})


def plan_data(plan: AuditPlan) -> dict[str, Any]:
    """Return the plan as plain data for JSON, without later fields that say nothing new."""
    return plain(_asked(plan))


def plan_digest(plan: AuditPlan) -> str:
    """Return the SHA-256 of the plan's canonical JSON."""
    return digest(_asked(plan))


_OF_SAMPLES = ("preset", "metrics", "features", "open_clip")
"""Fields that say what is computed of samples, and not which samples these are."""


def questions(plan: AuditPlan) -> str:
    """Return the SHA-256 of what a base is asked: plans that differ in what is computed of its answers share them."""
    return digest({name: value for name, value in _asked(plan).items() if name not in _OF_SAMPLES})


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


def elimination_rows(classes: int, stages: tuple[Stage, ...]) -> int:
    """Return the UNet rows that classifying one image among so many classes costs."""
    alive, rows = classes, 0
    for stage, added in zip(stages, stage_positions(stages), strict=True):
        rows += alive * len(added)
        alive = min(alive, stage.keep)
    return rows
