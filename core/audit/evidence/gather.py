"""How evidence is gathered: of the base first, then of the tuned model on the same latents, images, prompts, seeds."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from ...datasets.images.labelled import LabelledImages
from ...errors import InvalidError
from ...metrics.evidence import Answers, ColorDrawings, Drawings, Evidence, LongDrawings, Predictions, Screened
from ...model.diffusion.batch import Batching
from ...model.diffusion.reading import READING_PICTURES, judge_reading, require_right_reading
from ...plan.audit_plan import STEP_FACTOR, AuditPlan
from ...plan.screening.contrasts import Texts
from ...plan.screening.screening import asked_instead, plan_cells, plan_concepts, plan_contrasts
from .cost import FLOOR_PROMPTS
from .recorder import Draws, ModelPass, audit_draws, color_draws, draw_seed, step_draws
from .screen import Screening, read_texts, telling_timesteps

OTHER_SEED = 1_000_003
"""Added to the plan's seed for the classifier's base-against-base noise floor."""

Rest = Callable[[ModelPass], Evidence]
"""What remains to be done once the base is known: from the tuned model's pass to the whole evidence."""


def check_base(kinds: Collection[type[Evidence]], base: ModelPass, plan: AuditPlan) -> str:
    """Draw what every kind of evidence begins with, and return what speaks against the base knowing anything, or "".

    Raises InvalidError where the base is misread (see `reading`).
    """
    checked, first, others = _groups(plan)
    asked = [checked]
    if Predictions in kinds or Drawings in kinds:
        asked.append(first)
    if Drawings in kinds:
        asked.append(others)
    with base.explained(checked):
        for draws in filter(None, asked):
            base.draw("Base: drawing", "draw", draws)
    return _check_reading(base, checked)


def in_turns(kinds: Collection[type[Evidence]], each: bool) -> list[list[type[Evidence]]]:
    """Return the kinds of evidence in the order of their cost: one turn for `each`, or one for all."""
    wanted = [kind for kind in _BEGIN if kind in kinds]
    return [[kind] for kind in wanted] if each else [wanted]


def gather_base(
    kinds: Iterable[type[Evidence]], base: ModelPass, plan: AuditPlan, labelled: LabelledImages | None
) -> list[Rest]:
    """Return what remains for each kind of evidence once the checked base is known.

    Without labelled images the base makes them.
    """
    return [_BEGIN[kind](base, plan, labelled) for kind in kinds]


def gather_tuned(rests: Iterable[Rest], tuned: ModelPass) -> Mapping[type[Evidence], Any]:
    """Return the evidence of every kind."""
    return {type(evidence): evidence for evidence in (finish(tuned) for finish in rests)}


def _groups(plan: AuditPlan) -> tuple[Draws, Draws, Draws]:
    """Return the draws in the groups in which either model draws them, whatever else is asked.

    The last digit depends on what goes through a network at once, and strength 0 is to change none; an audit with
    other metrics takes over what this one asked of the base.
    """
    checked, first, every = _checked(plan), _first_draws(plan), audit_draws(plan)
    return checked, _without(first, checked), _without(every, first)


def _without(draws: Draws, others: Draws) -> Draws:
    there = set(others)
    return tuple(draw for draw in draws if draw not in there)


def _first_draws(plan: AuditPlan) -> Draws:
    """Return the first draw of each prompt."""
    return audit_draws(plan)[:: plan.images_per_prompt]


def _checked(plan: AuditPlan) -> Draws:
    """Return the draws that are always there: those that show how the base is read."""
    each = _first_draws(plan)
    return each[:: max(1, len(each) // READING_PICTURES)][:READING_PICTURES]


def _check_reading(base: ModelPass, draws: Draws) -> str:
    """Raise InvalidError where the base is misread; return what speaks against it knowing anything, if that does."""
    with base.explained(draws):
        reading = judge_reading(base.read("Base: checking how it is read", "reading", draws), base.prediction_type)
    require_right_reading(reading)
    if not reading.fits_nothing:
        return ""
    base.require_not_misread(draws)
    return reading.sentence()


def _drawings(base: ModelPass, plan: AuditPlan, labelled: LabelledImages | None) -> Rest:
    draws = audit_draws(plan)
    images = base.images("draw", draws)
    other = base.draw("Base: noise floor of images", "draw-other", audit_draws(plan, floor=True))

    def finish(tuned: ModelPass) -> Drawings:
        for group in filter(None, _groups(plan)):
            tuned.draw("LoRA: drawing", "draw", group)
        return Drawings(images, tuned.images("draw", draws), other)

    return finish


def _color_drawings(base: ModelPass, plan: AuditPlan, labelled: LabelledImages | None) -> Rest:
    draws, terms = color_draws(plan), tuple(prompt.term for prompt, _ in plan.color_draws)
    if not draws:
        raise InvalidError("No prompt asks for a colour, so none can be got.")
    images = base.draw("Base: drawing colours", "color", draws)
    other = base.draw("Base: noise floor of colours", "color-other", color_draws(plan, floor=True))
    return lambda tuned: ColorDrawings(images, tuned.draw("LoRA: drawing colours", "color", draws), other, terms)


def _long_drawings(base: ModelPass, plan: AuditPlan, labelled: LabelledImages | None) -> Rest:
    draws, again = step_draws(plan), step_draws(plan, floor=True)
    images = base.draw("Base: drawing in more steps", "steps", draws, STEP_FACTOR)
    other = base.draw("Base: noise floor of more steps", "steps-other", again, STEP_FACTOR)
    return lambda tuned: LongDrawings(
        images, tuned.draw("LoRA: drawing in more steps", "steps", draws, STEP_FACTOR), other, plan.step_places
    )


def _predictions(base: ModelPass, plan: AuditPlan, labelled: LabelledImages | None) -> Rest:
    latents = base.latents("draw", _first_draws(plan))
    seen = base.predict("Base: predicting", "predict", latents)
    floor, single = latents[:FLOOR_PROMPTS], Batching(1)
    again = base.predict("Base: noise floor of predictions", "predict-again", floor, single)
    return lambda tuned: Predictions(seen, tuned.predict("LoRA: predicting", "predict", latents), again)


def _screened(base: ModelPass, plan: AuditPlan, labelled: LabelledImages | None) -> Rest:
    # Pictures that are drawn in any case: noise hides most of what they show, and the prompt is what is asked about.
    latents, concepts = base.latents("draw", _checked(plan)), plan_concepts(plan)
    times = telling_timesteps(base, concepts, latents)
    read = read_texts(base, (c.prompt for c in (*concepts, *asked_instead(plan))))
    instead = plan_contrasts(plan, concepts, Texts(read))
    screening = Screening("screen", concepts, plan_cells(plan, len(concepts), len(latents)), times, latents)
    screening.ask_base(base, "Base: asking the vocabulary")
    contrast, _ = screening.ask_instead(base, "Base: asking for something else", instead.prompts)

    def finish(tuned: ModelPass) -> Screened:
        change, norm, toward = screening.compare(tuned, "LoRA: asking the vocabulary", base)
        return Screened(
            concepts,
            screening.cells,
            change,
            norm,
            toward,
            contrast,
            np.array(instead.exchanged),
            np.array(instead.near),
            tuple(t for t, _ in screening.times),
            np.stack([read[concept.prompt] for concept in concepts]),
        )

    return finish


def _answers(base: ModelPass, plan: AuditPlan, labelled: LabelledImages | None) -> Rest:
    images = _make_labelled(base, plan) if labelled is None else labelled
    seen = base.classify("Base: classifying", "classify", images, plan.seed)
    other = base.classify("Base: noise floor of answers", "classify-other", images, plan.seed + OTHER_SEED)
    return lambda tuned: Answers(
        images, seen, tuned.classify("LoRA: classifying", "classify", images, plan.seed), other
    )


def _make_labelled(base: ModelPass, plan: AuditPlan) -> LabelledImages:
    """Return labelled images that the base makes of its own idea of each class."""
    draws: Draws = tuple((prompt, draw_seed(plan, i)) for prompt in plan.class_prompts for i in range(plan.per_class))
    images = base.draw("Base: making labelled images", "probe", draws)
    return LabelledImages(images, np.repeat(np.arange(len(plan.classes)), plan.per_class), plan.classes)


_BEGIN = {
    Predictions: _predictions,
    Screened: _screened,
    Answers: _answers,
    Drawings: _drawings,
    ColorDrawings: _color_drawings,
    LongDrawings: _long_drawings,
}
"""Kind of evidence -> how it begins, in the order in which they are gathered."""
