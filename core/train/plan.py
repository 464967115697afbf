"""What is asked of a training: the plan, frozen, validated, versioned and hashed. No torch.

Every field is one option of `owf-train` and one key of its TOML files.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import Setting, UsageError
from ..families.prompt_form import ASKED_FORMS, AUTO
from ..plan.concept import CAPTION
from ..plan.option import option
from ..plan.plan import asked, check, digest, plain
from .forms import FORMS
from .preserve.term import Term, all_terms, find_term

VERSION = 1
"""Version of the plan; part of its digest, so a checkpoint is never continued by other rules."""

METHODS = ("dreambooth_lora", "custom_diffusion")
ALGORITHMS = tuple(FORMS)
TARGETS = ("attention", "transformer", "all")
OPTIMIZERS = ("adamw", "adamw8bit", "prodigy")
RATE_SCHEDULES = ("constant", "linear", "cosine")
CONTROLS = ("auto", "fixed")
TERMS = tuple(term.name for term in all_terms())
"""Preservation terms: the files of the folder `preserve`."""

LEARNING = 0.5
"""Share of the steps in which dc weighs little, where the training sets its weight itself."""

_ALWAYS_HASHED = frozenset({"prior_weight", "class_weight", "blank_weight", "l2_weight", "dc_weight"})
"""Weights that a digest covers whether their term is preserved or not.

The first plans of version 1 covered the weights of all terms that there were. Checkpoints and finished LoRAs hold those
digests, so these names stay; the weight of any other term counts only where the term does.
"""

_Plan = TypeVar("_Plan")


def _weighing(plan: type[_Plan]) -> type[_Plan]:
    """Return the class with an option for each preservation term after `preserve`: its weight.

    Terms describe themselves, so that none of them is named here; `TrainPlan.weight` reads what this adds. A base class
    out of `make_dataclass` would put the weights before all other options in --help and TOML files, and type checkers
    would let any misspelled field of a plan pass, because they cannot know what such a base holds.
    """
    fields: dict[str, Any] = {}
    for name, kind in plan.__annotations__.items():
        fields[name] = kind
        if name == "preserve":
            fields |= {f"{term}_weight": float for term in TERMS}
    for term in all_terms():
        setattr(plan, f"{term.name}_weight", option(term.weight, f"weight of {term.name}: {term.help}"))
    plan.__annotations__ = fields
    return plan


@dataclass(frozen=True)
@_weighing
class TrainPlan:
    """Everything that determines what is trained, apart from the base model, the pictures and the bank."""

    trigger: str = option("sks", "word that is to call the concept")
    class_word: str = option("", "what kind of thing the concept is, such as dog")
    caption: str = option(CAPTION, "caption of pictures without a .txt file; {} stands for trigger and class")
    steps: int = option(800, "optimizer steps", least=1, most=1_000_000)
    batch: int = option(1, "concept rows of one UNet batch", least=1, most=4096)
    accumulate: int = option(1, "UNet batches per optimizer step", least=1, most=4096)
    seed: int = option(0, "seed of every random draw", most=2**63 - 1)

    method: str = option("dreambooth_lora", "what is trained", METHODS)
    algorithm: str = option("lora", "form of the change of a weight", ALGORITHMS)
    rank: int = option(16, "rank of the change", least=1, most=4096)
    alpha: float = option(0.0, "the change is alpha / rank times its factors; 0 takes the rank")
    targets: str = option("attention", "layers that change: attention projections, whole transformers, or all", TARGETS)
    train_text_encoder: bool = option(False, "train the text encoder too, or both of them")

    resolution: int = option(0, "side in pixels whose area the pictures get; 0 takes the base's own", most=8192)
    bucket: int = option(
        64, "sides of aspect-ratio buckets are multiples of this many pixels; 0 crops to a square", most=1024
    )
    flip: bool = option(False, "mirror every other picture at random")
    caption_dropout: float = option(0.0, "share of concept rows whose caption is left empty", most=1)

    optimizer: str = option("adamw", "optimizer; adamw8bit and prodigy need their packages", OPTIMIZERS)
    rate: float = option(1e-4, "learning rate; prodigy wants 1")
    rate_schedule: str = option("constant", "course of the learning rate after the warm-up", RATE_SCHEDULES)
    warmup: int = option(0, "steps over which the learning rate rises from 0")
    weight_decay: float = option(0.01, "weight decay of the optimizer")
    clip: float = option(1.0, "largest norm of the gradient; 0 does not clip")
    min_snr: float = option(0.0, "gamma of min-SNR loss weighting (Hang et al. 2023), usually 5; 0 is off")
    noise_offset: float = option(0.0, "noise shared by all pixels of a channel, added to the noise of concept rows")
    ema: float = option(0.0, "decay of an exponential moving average of the weights, which is then saved; 0 is off")
    checkpointing: bool = option(False, "recompute activations in the backward pass: less memory, a third slower")

    preserve: tuple[str, ...] = option(("dc",), "preservation terms, comma-separated, or none", TERMS)
    prior_images: int = option(100, "pictures of the class that the base draws for prior", least=1, most=100_000)
    drift_budget: float = option(0.0, "denoiser drift to end at or below, such as 0.005; sets dc's weight; 0 is off")
    dc_control: str = option(
        "auto",
        "how dc's weight is set: auto learns first and keeps the concept learned, fixed takes dc-weight",
        CONTROLS,
    )
    bank_share: float = option(
        0.5, "share of dc's rows that come from the prompt bank, not from trigger-less captions", most=1
    )
    mismatch: float = option(
        0.5, "share of dc's rows whose caption belongs to other pictures: classes are told apart there", most=1
    )
    bank_prompts: int = option(0, "prompts of the bank to use; 0 takes all")
    prompt_form: str = option(
        AUTO, "language of the bank that ships; auto: tags for Pony, Illustrious, NoobAI and their like", ASKED_FORMS
    )
    preserve_rows: int = option(0, "rows of each preservation term; 0 takes as many as concept rows", most=4096)
    preserve_every: int = option(1, "preserve at every so many steps", least=1)
    teacher_cache: int = option(
        0, "size of a fixed set of the base's predictions for dc, made once; 0 makes them anew", most=1_000_000
    )

    drift_every: int = option(50, "steps between measurements of drift on held-out prompts; 0 never measures")
    sample_every: int = option(0, "steps between sample pictures; 0 draws none")
    sample_prompt: str = option("", "prompt of the sample pictures; empty takes the caption")
    version: int = VERSION

    def __post_init__(self) -> None:
        _check_names(self)
        _check_numbers(self)
        _check_preservation(self)

    @property
    def scale(self) -> float:
        """Alpha as it is written: the option, or the rank."""
        return self.alpha or float(self.rank)

    def weight(self, term: str) -> float:
        """Return the weight of a preservation term."""
        return float(getattr(self, f"{term}_weight"))

    @property
    def terms(self) -> tuple[Term, ...]:
        """The preservation terms, as they describe themselves."""
        return tuple(map(find_term, self.preserve))

    @property
    def term_rows(self) -> int:
        """Rows that a preservation term asks in one UNet batch."""
        return self.preserve_rows or self.batch

    @property
    def sets_weight(self) -> bool:
        """Return whether the training itself sets the weight of dc, by what is learned and not by a drift budget."""
        return "dc" in self.preserve and self.dc_control == "auto" and not self.drift_budget

    @property
    def learning_steps(self) -> int:
        """Return how many steps learn the concept before the weight of dc follows what was learned."""
        return int(LEARNING * self.steps) if self.sets_weight else 0

    def is_preserving(self, step: int) -> bool:
        """Return whether it is the terms' turn in optimizer step `step`, counted from 0."""
        return step % self.preserve_every == 0


def _check_names(plan: TrainPlan) -> None:
    for field in dataclasses.fields(plan):
        value, choices = getattr(plan, field.name), field.metadata.get("choices")
        values = value if isinstance(value, tuple) else (value,)
        if choices and not set(values) <= set(choices):
            none = ", or none" if isinstance(value, tuple) else ""
            said = f"{_spoken(field.name)} {','.join(values)}: choose from {', '.join(choices)}{none}."
            raise UsageError(said, Setting(field.name))
    check(plan.trigger.strip() != "", "The trigger must not be empty", Setting("trigger"))
    check("{}" in plan.caption, "The caption needs {} where trigger and class go", Setting("caption"))
    check(
        plan.method == "dreambooth_lora" or plan.algorithm == "lora",
        f"The algorithm {plan.algorithm} belongs to dreambooth_lora; custom_diffusion trains whole projections",
        Setting("algorithm"),
        Setting("method"),
    )
    check(
        plan.method == "dreambooth_lora" or not plan.train_text_encoder,
        "Training the text encoder belongs to dreambooth_lora; custom_diffusion trains the trigger's embedding",
        Setting("train_text_encoder"),
        Setting("method"),
    )


def _check_numbers(plan: TrainPlan) -> None:
    for field in dataclasses.fields(plan):
        if type(field.default) in (int, float) and field.metadata:
            least, most = field.metadata["least"], field.metadata["most"]
            holds = least <= getattr(plan, field.name) <= most
            check(holds, f"{_spoken(field.name)} must be between {least} and {most:,.15g}", Setting(field.name))
    check(plan.ema < 1, "The average's decay is below 1, such as 0.99", Setting("ema"))
    check(plan.rate > 0, "The rate must be above 0: with a rate of 0 nothing is learned", Setting("rate"))
    check(plan.drift_budget < 1, "The drift budget is a share below 1, such as 0.005", Setting("drift_budget"))
    check(plan.warmup <= plan.steps, "The warmup cannot be longer than all steps", Setting("warmup"), Setting("steps"))
    eighths = plan.resolution % 8 == 0 and plan.bucket % 8 == 0
    check(eighths, "Resolution and bucket must be multiples of 8", Setting("resolution"), Setting("bucket"))


def _check_preservation(plan: TrainPlan) -> None:
    dc, measured = Setting("preserve", "dc"), Setting("drift_every")
    check(len(set(plan.preserve)) == len(plan.preserve), "A term of preservation is named twice", Setting("preserve"))
    check(not plan.drift_budget or "dc" in plan.preserve, "A drift budget needs the term dc", dc)
    check(not plan.drift_budget or plan.drift_every > 0, "A drift budget needs drift to be measured", measured)
    check(
        not plan.drift_budget or 2 * plan.drift_every <= plan.steps,
        "A drift budget follows drift as it is measured: do so every half of all steps, or more often",
        measured,
    )
    check(
        plan.trigger.lower() != plan.class_word.lower() or not any(t.needs_class for t in plan.terms),
        "Trigger and class are the same, so that what is learned would also be preserved: use another trigger",
        Setting("trigger"),
    )
    check(not plan.teacher_cache or "dc" in plan.preserve, "A fixed set of predictions needs the term dc", dc)


def _spoken(name: str) -> str:
    """Return a field's name as it begins a sentence."""
    return name.replace("_", " ").capitalize()


_LATER = {"prompt_form": AUTO}
"""Fields that plans of this version once lacked, left out at these values, so that a checkpoint is continued; the bank
that they lead to has a digest of its own."""


def plan_data(plan: TrainPlan) -> dict[str, Any]:
    """Return the plan as plain data for JSON, without later fields that say nothing new."""
    return plain(asked(plan, _LATER))


def plan_digest(plan: TrainPlan) -> str:
    """Return the SHA-256 of the plan's canonical JSON, without the weights of later terms that it does not preserve.

    So a term that is added changes the digest of no plan that does not preserve it; nor does `dc_control` where it has
    nothing to do.
    """
    idle = {f"{term}_weight" for term in TERMS if term not in plan.preserve} - _ALWAYS_HASHED
    if not plan.sets_weight:
        idle.add("dc_control")
    return digest({name: value for name, value in asked(plan, _LATER).items() if name not in idle})
