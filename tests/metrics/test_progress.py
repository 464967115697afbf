"""Every metric says how far it is: by exactly what the plan announced, in steps, and it can be stopped between them."""

import dataclasses

import numpy as np
import pytest
import torch
from owf.core.audit.evidence.cost import audit_cost
from owf.core.datasets.images.labelled import LabelledImages
from owf.core.families.prompt_form import IN_SENTENCES
from owf.core.metrics.evidence import (
    Answers,
    ColorDrawings,
    Confirmed,
    Drawings,
    LongDrawings,
    Predictions,
    Screened,
    Suspects,
)
from owf.core.metrics.metric import Tools, all_metrics
from owf.core.plan.presets import preset_plan
from owf.core.plan.screening.block_design import block_design
from owf.core.plan.vocabulary import words_vocabulary
from progress_log import Heard

IMAGES = 40
PLAN = dataclasses.replace(preset_plan("quick"), prompts=preset_plan("quick").prompts[: IMAGES // 2])
PLAN = dataclasses.replace(PLAN, images_per_prompt=2, classes=("bag", "coat"))


def predictions(rng) -> Predictions:
    base = [rng.normal(size=(PLAN.drift_timesteps, 4, 2, 2)) for _ in PLAN.prompts]
    return Predictions(base, [1.1 * p for p in base], base[:2])


def answers(rng) -> Answers:
    labels = np.arange(IMAGES) % 2
    errors = rng.normal(1.0, 0.1, (IMAGES, 2, PLAN.timesteps))
    errors[np.arange(IMAGES), labels] -= 0.2  # mostly right, so that there is something to forget
    images = rng.integers(0, 256, (IMAGES, 3, 8, 8), np.uint8)
    return Answers(LabelledImages(images, labels, PLAN.classes), errors, errors + 0.01, errors)


def drawings(rng) -> Drawings:
    base, tuned, reroll = rng.integers(0, 256, (3, IMAGES, 3, 8, 8), np.uint8)
    return Drawings(base, tuned, reroll)


def color_drawings(rng) -> ColorDrawings:
    terms = tuple(prompt.term for prompt, _ in PLAN.color_draws)
    base, tuned, reroll = rng.integers(0, 256, (3, len(terms), 3, 8, 8), np.uint8)
    return ColorDrawings(base, tuned, reroll, terms)


def long_drawings(rng) -> LongDrawings:
    base, tuned, reroll = rng.integers(0, 256, (3, len(PLAN.step_places), 3, 8, 8), np.uint8)
    return LongDrawings(base, tuned, reroll, PLAN.step_places)


def screened(rng) -> Screened:
    concepts = words_vocabulary([f"thing {i}" for i in range(30)], IN_SENTENCES)
    cells = block_design(30, 4, 8, 8, 0)
    norm, exchanged = np.ones(cells.timestep.shape), np.full(cells.timestep.shape, "kind")
    change, texts = rng.gamma(2, 0.01, norm.shape), rng.normal(size=(30, 4))
    near = rng.random(norm.shape) < 0.7
    return Screened(concepts, cells, change, norm, 0 * norm, norm / 10, exchanged, near, tuple(range(8)), texts)


def confirmed(rng) -> Confirmed:
    group = Suspects("some", (("a", "b"),) * 6, (("a", "b"),) * 6)
    answers = (rng.integers(0, 2, 6), rng.integers(0, 2, 6))
    return Confirmed((group, group), answers, answers, ())


EVIDENCE = {
    Predictions: predictions,
    Answers: answers,
    Drawings: drawings,
    ColorDrawings: color_drawings,
    LongDrawings: long_drawings,
    Screened: screened,
    Confirmed: confirmed,
}


STACKS = {Drawings: IMAGES, ColorDrawings: len(PLAN.color_draws), LongDrawings: len(PLAN.step_places)}
"""Pictures of the base, of the tuned model, and of the base with other seeds."""


class Brightness:
    """A network that any metric can use, and that counts how often it was asked."""

    name, digest, asked = "brightness", "0", 0

    def __init__(self, width: int = 3) -> None:
        self.width = width

    def __call__(self, images):
        self.asked += 1
        return images.float().mean((2, 3)).numpy()[:, np.arange(self.width) % 3] + 1


def brightness(metric) -> Brightness:
    """The network for a metric; LPIPS gives a number, CLIP-T one for every prompt, the others features."""
    return Brightness({"lpips": 1, "distillation": 1, "clip_t": len(PLAN.prompts)}.get(metric.name, 3))


class Stop(Exception):
    """What a host raises to end a run."""


class Stopping(Heard):
    """Raises at the event of this number."""

    def __init__(self, event: int) -> None:
        super().__init__()
        self._event = event

    def advance(self, rows: int) -> None:
        if len(self.rows) == self._event:
            raise Stop
        super().advance(rows)


def measure(metric, network, progress) -> None:
    rng = np.random.default_rng(0)
    tools = Tools(torch.device("cpu"), {metric.name: network}, progress)
    metric.measure(PLAN, tools, *(EVIDENCE[kind](rng) for kind in metric.needs))


@pytest.mark.parametrize("metric", all_metrics(), ids=lambda metric: metric.name)
def test_a_metric_advances_by_what_its_plan_announced(metric):
    heard = Heard()
    measure(metric, brightness(metric), heard)
    announced = audit_cost(dataclasses.replace(PLAN, metrics=(metric.name,)), IMAGES).compared
    stack = sum(STACKS.get(kind, 0) for kind in metric.needs)
    assert sum(heard.rows) == announced == 3 * stack
    assert max(heard.rows, default=0) <= stack  # it never leaps by more than one of the three


@pytest.mark.parametrize("batches", [0, 1, 2])
@pytest.mark.parametrize("metric", [m for m in all_metrics() if m.network], ids=lambda metric: metric.name)
def test_a_metric_with_a_network_is_stopped_between_its_batches(metric, batches):
    network = brightness(metric)
    with pytest.raises(Stop):
        measure(metric, network, Stopping(2 * batches))  # it tells before and after each
    assert network.asked == batches
