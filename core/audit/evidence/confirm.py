"""The confirmation of what a screening found: pictures of both models, looked at by the base, until it is decided."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ...metrics.confirmed import drop_so_far, is_decided
from ...metrics.evidence import Confirmed, Suspects
from ...model.diffusion.classifier import image_errors
from ...model.diffusion.denoiser import Denoiser
from ...model.diffusion.drawings import draw_name
from ...model.diffusion.read_ahead import reading_ahead
from ...plan.audit_plan import Stage
from ...plan.screening.confirmation import BLOCK, LOOK_ROWS, PICTURES, TIMESTEPS
from .cost import confirmation_rows, image_rows
from .recorder import SEEDS, ModelPass

BEFORE, AFTER = "confirm-base", "confirm-tuned"
"""Stages of the store that hold the pictures of base and tuned model."""
LOOKS = {BEFORE: "look-base", AFTER: "look-tuned"}
"""Those that hold what the base sees in them."""

_SHOWN = 3
"""Pictures of a group that the report shows."""


@dataclass
class _Asked:
    """A group and what is known of it."""

    group: Suspects
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)


def confirm(model: ModelPass, groups: Sequence[Suspects], on: Callable[[], None], off: Callable[[], None]) -> Confirmed:
    """Return what the base sees in pictures of the groups; `on` and `off` switch the change of the model's weights.

    Seeds and noise are fresh, so that nothing that chose the groups counts. All samples belong to the run, for another
    LoRA has other suspects.
    """
    asked = [_Asked(group) for group in groups]
    undecided = asked
    for start in range(0, PICTURES, BLOCK):
        places = range(start, start + BLOCK)
        _draw(model, undecided, places, on, off)
        looks = [(each, place) for each in undecided for place in places]
        for denoiser, (each, place) in reading_ahead(model.encodings, looks, _texts):
            each.before.append(_answer(model, denoiser, BEFORE, each.group, place))
            each.after.append(_answer(model, denoiser, AFTER, each.group, place))
        undecided = [e for e in undecided if not is_decided(drop_so_far(e.before, e.after, len(groups)))]
        if not undecided:
            break
    model.progress.skip(max(0, confirmation_rows(model.plan) - _measured(model)))
    before, after = tuple(np.array(e.before) for e in asked), tuple(np.array(e.after) for e in asked)
    return Confirmed(tuple(groups), before, after, _pairs(model, asked))


def _draw(
    model: ModelPass, asked: Sequence[_Asked], places: range, on: Callable[[], None], off: Callable[[], None]
) -> None:
    # Groups may share a concept: it is drawn once.
    draws = tuple(dict.fromkeys(_draw_of(model, each.group, place) for each in asked for place in places))
    model.draw("Base: drawing what is suspected", BEFORE, draws)
    on()
    try:
        model.draw("LoRA: drawing what is suspected", AFTER, draws)
    finally:
        off()
    model.progress.stage("Base: looking at what is suspected")


def _draw_of(model: ModelPass, group: Suspects, place: int) -> tuple[str, int]:
    """Return (prompt, seed) of a group's picture; the seeds are no other drawing's."""
    return group.prompts[place][0], model.plan.seed * SEEDS + SEEDS // 4 + place


def _texts(look: tuple[_Asked, int]) -> Iterator[tuple[str]]:
    asked, place = look
    return ((prompt,) for prompt in asked.group.prompts[place])


def _answer(model: ModelPass, denoiser: Denoiser, stage: str, group: Suspects, place: int) -> int:
    """Return which of the group's prompts explains a picture best, by the weights that the model has now."""
    name, prompts = draw_name(_draw_of(model, group, place)), group.prompts[place]
    item = f"{name}|{'|'.join(prompts[1:])}"
    if not model.has(LOOKS[stage], item, LOOK_ROWS):
        latents = torch.from_numpy(model.sample(stage, name)["latents"]).to(denoiser.device)
        (errors,) = image_errors(
            denoiser,
            latents[None],
            [f"confirm|{name}"],
            denoiser.encode_text(prompts),
            (Stage(TIMESTEPS, 1),),
            model.plan.loss,
            model.plan.seed,
            model.batch,
            model.progress,
            model.plan.drawn,
        )
        model.progress.skip(LOOK_ROWS - len(prompts) * TIMESTEPS)
        model.keep(LOOKS[stage], [(item, {"errors": errors})])
    return int(np.argmin(model.sample(LOOKS[stage], item)["errors"].astype(np.float64).mean(axis=1)))


def _measured(model: ModelPass) -> int:
    """Return the rows that the run's store holds of a confirmation, each look counted as planned."""
    stages = [stage for stage, _ in model.measured()]
    drawn, looked = (sum(stages.count(name) for name in names) for names in (LOOKS, LOOKS.values()))
    return drawn * image_rows(model.plan) + looked * LOOK_ROWS


def _pairs(model: ModelPass, asked: Sequence[_Asked]) -> tuple[tuple[str, int, np.ndarray, np.ndarray], ...]:
    draws = dict.fromkeys(_draw_of(model, each.group, place) for each in asked for place in range(_SHOWN))
    sides = ((draw, *(model.images(stage, (draw,))[0] for stage in (BEFORE, AFTER))) for draw in draws)
    return tuple((prompt, seed, base, tuned) for (prompt, seed), base, tuned in sides)
