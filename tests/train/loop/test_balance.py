"""Drift correction that sets its own weight: what the weight does, which steps it costs, and that it resumes."""

import math

import pytest
from owf.core.model.diffusion.encodings import Encodings
from owf.core.train import cost
from owf.core.train.data.concept import ConceptData
from owf.core.train.loop.balance import ENOUGH, KEPT, RANGE, ROWS, START, TURNS, _rows, is_turn, turned
from owf.core.train.plan import LEARNING
from small_training import run, small_plan, tiny_denoiser, two_pictures


def test_the_weight_rises_while_the_concept_keeps_its_gain_and_falls_where_it_does_not():
    assert turned(1.0, 0.3, 0.3, None) == turned(1.0, 0.3, 0.3, 0.01) == pytest.approx(2**0.5)
    assert turned(1.0, KEPT * 0.3, 0.3, 0.01) == pytest.approx(1)
    assert turned(1.0, (KEPT - (1 - KEPT)) * 0.3, 0.3, 0.01) == pytest.approx(2**-0.5)
    assert turned(1.0, 0.0, 0.3, 0.01) == turned(1.0, -9.0, 0.3, 0.01) == pytest.approx(0.5)
    assert turned(1.0, 0.3, 0.3, ENOUGH) == 1  # there is nothing left to correct
    assert turned(1.0, 0.0, 0.3, ENOUGH) < 1
    assert turned(1.0, -0.2, 0.0, 0.01) == pytest.approx(0.5)  # nothing is learned yet
    assert (turned(RANGE[1], 0.3, 0.3, 0.01), turned(RANGE[0], 0.0, 0.3, 0.01)) == (RANGE[1], RANGE[0])


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_it_settles_where_the_concept_keeps_just_its_share(strength):
    # A concept whose gain falls as 1 / (1 + weight / strength): the largest weight that keeps the share is known.
    gain = lambda weight: 0.4 / (1 + weight / strength)  # noqa: E731
    weight, found = START, []
    for _ in range(200):
        weight = turned(weight, gain(weight), 0.4, 1.0)
        found.append(weight)
    known = strength * (1 / KEPT - 1)
    assert found[-1] == pytest.approx(known, rel=1e-6)
    assert max(found) <= 1.2 * max(known, START)  # near it, no turn goes far past it


def test_the_gain_is_measured_a_fixed_number_of_times_and_at_the_end():
    for steps in (7, 30, 100, 800, 1001):
        turns = [step for step in range(1, steps + 1) if is_turn(step, steps)]
        assert len(turns) <= TURNS + 1
        assert len(turns) >= min(steps, TURNS // 2)
        assert turns[-1] == steps


def test_the_weight_is_light_until_half_of_the_steps_and_follows_the_gain_from_there_on(tmp_path):
    plan, records = small_plan(steps=8, preserve=("dc",), drift_every=0), []
    run(tmp_path, plan, records=records)
    first = int(LEARNING * 8)
    assert all(set(record.terms) == {"dc"} for record in records)
    weights = [record.weights["dc"] for record in records]  # those that the steps were taken with
    assert weights[:first] == [START] * first
    assert all(weight > 0 and weight != START for weight in weights[first:])
    measured = [record.step for record in records if record.gain is not None]
    assert measured == list(range(first, 9))
    assert all(math.isfinite(record.gain) for record in records if record.gain is not None)


def test_rows_are_counted_as_they_are_asked():
    plan = small_plan(steps=8, preserve=("dc", "class"))
    assert [cost.step_rows(plan, step) for step in (0, 3, 4, 7)] == [6, 6, 6, 6]
    assert [cost.teacher_rows(plan, step) for step in (0, 3, 4, 7)] == [4, 4, 4, 4]
    assert cost.rows_until(plan, 8) == 8 * 6


@pytest.mark.parametrize("options", [{"dc_control": "fixed"}, {"drift_budget": 0.01, "drift_every": 2}])
def test_a_fixed_weight_and_a_budget_preserve_from_the_first_step(tmp_path, options):
    records = []
    run(tmp_path, small_plan(steps=4, preserve=("dc",), **options), records=records)
    assert all(set(record.terms) == {"dc"} and record.gain is None for record in records)
    assert records[0].weights["dc"] == 8


def test_interrupted_anywhere_it_resumes_to_the_same_bytes(tmp_path):
    plan = small_plan(steps=8, preserve=("dc",), drift_every=4, ema=0.9)
    records = []
    whole = run(tmp_path / "whole", plan, records=records)
    seen = []
    for stop in (2, 5, 99):
        again = run(tmp_path / "parts", plan, watch=seen.append, stop=lambda at=stop: len(seen) >= at, resume=True)
    assert [(r.weights, r.gain, r.loss) for r in seen] == [(r.weights, r.gain, r.loss) for r in records]
    assert again.path.read_bytes() == whole.path.read_bytes()


def test_the_rows_are_the_same_each_time_and_enough():
    pictures = two_pictures()
    data = ConceptData(
        Encodings(tiny_denoiser()),
        [p.pixels for p in pictures],
        [p.caption for p in pictures],
        [1, 1],
        small_plan(),
    )
    first, again = _rows(data), _rows(data)
    assert sum(map(len, first)) == ROWS
    assert all((a.eps == b.eps).all() and (a.t == b.t).all() for a, b in zip(first, again, strict=True))
