"""What trainings take: weights, what is trained, and activations of the rows that are there at once."""

import pytest
import torch
from owf.core.demo import DEMO_BASE
from owf.core.model.base import BaseChoice
from owf.core.model.blueprint import blueprint
from owf.core.model.footprint import needed_for, part_weights
from owf.core.model.memory import Keeping
from owf.core.train.cost import rows_at_once
from owf.core.train.forecast.memory import TrainMemories, TrainMemory, Way
from owf.core.train.plan import TrainPlan

PLAIN = Way(Keeping(), False)


class Counted:
    """Stands for a counted step."""

    trained, changed = 1000, 10**9

    def row(self, checkpointing):
        return 10**9 if checkpointing else 10**10


def plan(**options):
    return TrainPlan(**({"class_word": "bag"} | options))


def demo():
    return blueprint(BaseChoice(str(DEMO_BASE), "folder"))


def memory(**options):
    return TrainMemory(demo(), plan(**options), torch.float32, Counted())


def test_rows_at_once_are_those_of_one_batch_in_which_all_terms_have_their_turn():
    assert rows_at_once(plan(preserve=())) == (1, 0)
    assert rows_at_once(plan()) == (2, 1)
    assert rows_at_once(plan(batch=2, accumulate=3, preserve=("dc", "prior", "l2"), preserve_every=5)) == (6, 2)
    assert rows_at_once(plan(batch=2, preserve_rows=1, teacher_cache=8)) == (3, 0)


def test_a_step_takes_weights_what_is_trained_and_the_rows_of_the_student():
    weights = sum(part_weights(demo(), torch.float32, Keeping()).values())
    assert memory(preserve=()).in_step(PLAIN) == weights + 16 * 1000 + 10**10
    assert memory().in_step(PLAIN) == weights + 16 * 1000 + 2 * 10**10
    assert memory().in_step(Way(Keeping(), True)) == weights + 16 * 1000 + 2 * 10**9
    assert memory(preserve=("l2",)).in_step(PLAIN) == weights + 16 * 1000 + 10**10 + 4 * 10**9
    assert memory(ema=0.9).in_step(PLAIN) == memory().in_step(PLAIN) + 4 * 1000
    assert memory().needed(PLAIN, "cuda") == needed_for(memory().in_step(PLAIN))


def test_what_waits_is_not_there_in_a_step_and_rounded_weights_are_small():
    parts = part_weights(demo(), torch.float32, Keeping("model"))
    waiting, plain = (memory().in_step(Way(Keeping(offload), True)) for offload in ("model", "none"))
    assert plain - waiting == sum(parts.values()) - parts["unet"]
    sizes = [memory().in_step(Way(Keeping(quantize=kind), True)) for kind in ("none", "int8", "nf4")]
    assert sizes == sorted(sizes, reverse=True)


def test_no_step_has_to_be_counted_where_what_is_kept_is_too_much(monkeypatch):
    monkeypatch.setattr("owf.core.train.forecast.memory.StepMemory", lambda *_: Counted())
    monkeypatch.setattr(Counted, "row", lambda *_: pytest.fail("a step was counted"))
    memories = TrainMemories(demo, [plan()])
    assert memories.least(PLAIN, torch.float32) == needed_for(memory().kept(PLAIN))


def test_where_steps_are_small_drawing_takes_more(monkeypatch):
    monkeypatch.setattr(Counted, "row", lambda *_: 1)
    small = memory()
    assert small.needed(PLAIN, "cpu") == needed_for(small.in_drawing(PLAIN, "cpu")) > needed_for(small.in_step(PLAIN))


@pytest.mark.parametrize(
    ("options", "way", "allowed"),
    [
        ({}, Way(Keeping("model", "nf4"), False), True),
        ({}, Way(Keeping(quantize="int8"), False), False),
        ({}, Way(Keeping(quantize="int8"), True), True),
        ({"method": "custom_diffusion"}, Way(Keeping("model"), True), False),
        ({"method": "custom_diffusion"}, Way(Keeping(), True), True),
        ({"train_text_encoder": True}, Way(Keeping("model"), False), False),
        ({"algorithm": "lokr"}, Way(Keeping(quantize="nf4"), True), False),
    ],
)
def test_ways_that_a_training_refuses_are_not_offered(options, way, allowed):
    assert TrainMemories(demo, [plan(), plan(**options)]).allow(way) is allowed


@pytest.mark.slow
def test_of_several_trainings_the_most_counts():
    plans = [plan(rank=2, batch=3), plan(rank=8), plan(method="custom_diffusion", preserve=())]
    both = TrainMemories(demo, plans)
    fullest = both.fullest(torch.float32)
    assert fullest.plan == plan(rank=8, batch=3) and fullest.rows == (6, 3)
    assert both.needed(PLAIN, torch.float32, "cpu") >= max(
        TrainMemories(demo, [each]).needed(PLAIN, torch.float32, "cpu") for each in plans
    )
