"""The two sides of an audit: everything that is measured of the base, and of the tuned model."""

from dataclasses import dataclass, field

import numpy as np

from .batch import Batch
from .datasets.labelled import LabelledImages
from .model_pass import Draws, ModelPass, audit_draws, draw_seed
from .plan import FLOOR_PROMPTS, READING_PICTURES, AuditPlan, needs_images
from .reading import judge_reading, require_right_reading

OTHER_SEED = 1_000_003
"""Added to the plan's seed for the classifier's base-against-base noise floor."""


@dataclass
class Side:
    """What was seen of one model. Fields stay None where the plan does not ask for them."""

    semantic: np.ndarray | None = None
    """(N, K, T) classification errors."""
    images: np.ndarray | None = None
    """(P * S, 3, H, W) generated images."""
    predictions: list[np.ndarray] | None = None
    """P arrays (T, C, h, w)."""


@dataclass
class BaseSide(Side):
    """What was seen of the base, and its noise floors."""

    labelled: LabelledImages | None = None
    """The labelled images that both models classify."""
    latents: np.ndarray | None = None
    """(P, C, h, w) clean latents of the concept-free prompts."""
    semantic_other: np.ndarray | None = None
    """Classification errors with other noise."""
    images_other: np.ndarray | None = None
    """Images of other seeds."""
    predictions_again: list[np.ndarray] = field(default_factory=list)
    """The first predictions repeated one row at a time."""
    doubt: str = ""
    """The sentence that says that the base predicts no better than a rule that knows nothing, if so."""


def measure_base(model: ModelPass, plan: AuditPlan, labelled: LabelledImages | None) -> BaseSide:
    """Return the base's side; without labelled images the base makes them.

    Raises InvalidError where the base is misread (see `reading`).
    """
    side, draws = BaseSide(labelled=labelled), audit_draws(plan)
    each = draws[:: plan.images_per_prompt]
    checked = each[:: max(1, len(each) // READING_PICTURES)][:READING_PICTURES]
    with model.explained(checked):
        if needs_images(plan):
            side.images = model.draw("Base: drawing", "draw", draws)
        else:
            model.draw("Base: drawing latents", "draw", each if "denoiser_drift" in plan.metrics else checked)
    side.doubt = _check_reading(model, checked)
    if needs_images(plan):
        other = audit_draws(plan, floor=True)
        side.images_other = model.draw("Base: noise floor of images", "draw-other", other)
    if "denoiser_drift" in plan.metrics:
        _measure_predictions(model, side, each)
    if "semantic" in plan.metrics:
        _measure_answers(model, plan, side)
    return side


def _check_reading(model: ModelPass, draws: Draws) -> str:
    """Raise InvalidError where the base is misread; return what speaks against it knowing anything, if that does."""
    with model.explained(draws):
        reading = judge_reading(model.read("Base: checking how it is read", "reading", draws), model.prediction_type)
    require_right_reading(reading)
    if not reading.fits_nothing:
        return ""
    model.require_not_misread(draws)
    return reading.sentence()


def _measure_predictions(model: ModelPass, side: BaseSide, draws: Draws) -> None:
    side.latents = model.latents("draw", draws)
    side.predictions = model.predict("Base: predicting", "predict", side.latents)
    floor, single = side.latents[:FLOOR_PROMPTS], Batch(1)
    side.predictions_again = model.predict("Base: noise floor of predictions", "predict-again", floor, single)


def _measure_answers(model: ModelPass, plan: AuditPlan, side: BaseSide) -> None:
    if side.labelled is None:
        side.labelled = _make_labelled(model, plan)
    other = plan.seed + OTHER_SEED
    side.semantic = model.classify("Base: classifying", "classify", side.labelled, plan.seed)
    side.semantic_other = model.classify("Base: noise floor of answers", "classify-other", side.labelled, other)


def _make_labelled(model: ModelPass, plan: AuditPlan) -> LabelledImages:
    """Return labelled images that the base makes of its own idea of each class."""
    draws: Draws = tuple((prompt, draw_seed(plan, i)) for prompt in plan.class_prompts for i in range(plan.per_class))
    images = model.draw("Base: making labelled images", "probe", draws)
    return LabelledImages(images, np.repeat(np.arange(len(plan.classes)), plan.per_class), plan.classes)


def measure_tuned(model: ModelPass, plan: AuditPlan, base: BaseSide) -> Side:
    """Return the tuned model's side on the base's latents, labelled images, prompts and seeds."""
    side = Side()
    if base.latents is not None:
        side.predictions = model.predict("LoRA: predicting", "predict", base.latents)
    if base.labelled is not None and base.semantic is not None:
        side.semantic = model.classify("LoRA: classifying", "classify", base.labelled, plan.seed)
    if base.images is not None:
        side.images = model.draw("LoRA: drawing", "draw", audit_draws(plan))
    return side
