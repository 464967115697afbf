"""Two reports beside each other: differences with known intervals, and which change is the milder."""

import dataclasses
import math

import numpy as np
import pytest
import report_samples as samples
from owf.core.metrics.color import ColorRows, summarise_color
from owf.core.metrics.denoiser_drift import DriftRows, summarise_drift
from owf.core.metrics.measurement import Estimate, Measurement
from owf.core.metrics.statistics import ratio_estimate
from owf.core.verdict.comparison import common_pairs, compare, incomparable
from owf.core.verdict.judge import judge
from owf.core.verdict.policy import Limit, Policy
from owf.core.verdict.report import ImagePair

CDI, DRIFT, TINT = ("color", "cdi"), ("denoiser_drift", "drift"), ("color_shift", "tint_a")
DROP = ("semantic", "accuracy_drop")
LIMITS = Policy((Limit(*CDI, 2.3), Limit(*DRIFT, 0.01), Limit(*DROP, 0.1), Limit(*TINT, 3.0)))


def of(*seen: Measurement, **changes):
    measured = {each.metric: each for each in seen}
    return dataclasses.replace(samples.report(), measurements=measured, verdict=judge(measured, LIMITS), **changes)


def colors(*values: float) -> Measurement:
    count, shares = len(values), np.zeros((len(values), 11))
    names = tuple(map(str, range(count)))
    return summarise_color(ColorRows(names, ("",) * count, np.array(values), None, None, shares, shares, None))


def single(metric: str, name: str, value: float, half: float, n: int = 50) -> Measurement:
    return Measurement(metric, 1, name, {name: Estimate(value, value - half, value + half, n, "share")})


def test_a_difference_is_that_of_the_same_prompts_with_students_interval():
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), and t at 2 degrees of freedom in closed form.
    (found,) = compare([of(colors(11, 22, 33)), of(colors(10, 20, 30))], [CDI]).numbers
    half = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(2) and found.difference.n == 3
    assert (found.difference.low, found.difference.high) == pytest.approx((2 - half, 2 + half))
    assert found.difference.unit == "delta_e"


def test_pairing_decides_what_the_two_intervals_alone_do_not():
    base = np.linspace(0, 40, 20)
    first, second = of(colors(*base)), of(colors(*(base + 1 + 0.1 * np.cos(base))))
    estimates = [report.measurements["color"].estimates["cdi"] for report in (first, second)]
    assert estimates[0].high > estimates[1].value  # of unpaired pictures nothing would follow
    for reports, milder in (((first, second), 0), ((second, first), 1), ((first, first), None)):
        compared = compare(reports, [CDI])
        assert compared.numbers[0].milder == compared.milder == milder


def test_several_differences_hold_together():
    both = [of(colors(1, 2, 3, 5), drift([k, 2, 3, 4])) for k in (1.0, 1.5)]
    (alone,), (one, other) = compare(both, [CDI]).numbers, compare(both, [CDI, DRIFT]).numbers
    assert alone.difference == one.difference  # all prompts are alike, so that no interval is any wider
    assert other.difference is not None
    narrow = compare(both, [DRIFT]).numbers[0].difference
    assert narrow is not None
    t = [half(each) / half(narrow) for each in (other.difference, narrow)]
    assert t[0] == pytest.approx(4.1765 / 3.1824, rel=1e-3)  # Student's t at 3 degrees of freedom, 0.975 and 0.95


def half(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / 2


def drift(change, norm=(100.0, 100.0, 100.0, 100.0)) -> Measurement:
    rows = np.array(change, float)[:, None], np.array(norm, float)[:, None]
    return summarise_drift(DriftRows(("",) * len(change), *rows, np.zeros((1, 1))))


def test_the_difference_of_drifts_is_that_of_the_ratios_also_where_prompts_weigh_unlike():
    rng = np.random.default_rng(0)
    norm = rng.normal(100, 2, 200)
    a, b = (rng.uniform(low, high, 200) for low, high in ((1, 3), (2, 3)))
    (found,) = compare([of(drift(a, norm)), of(drift(b, norm))], [DRIFT]).numbers
    exact = ratio_estimate(a - b, norm, "relative")
    assert found.difference is not None
    assert found.difference.value == pytest.approx(exact.value, rel=1e-9)
    assert half(found.difference) == pytest.approx(half(exact), rel=0.01)  # norms differ by 2 %


@pytest.mark.parametrize(
    ("values", "milder"), [((0.5, 0.3), 1), ((0.3, 0.5), 0), ((0.5, 0.41), None), ((-0.3, 0.2), 0)]
)
def test_without_prompts_intervals_that_reach_each_other_decide_nothing(values, milder):
    first, second = (of(single(*DROP, value, 0.06)) for value in values)
    compared = compare([first, second], [DROP])
    assert compared.numbers[0].difference is None
    assert compared.milder == milder


def test_of_a_change_that_goes_either_way_the_smaller_is_milder():
    first, second = of(single(*TINT, -5, 1)), of(single(*TINT, 2, 1))
    assert compare([first, second], [TINT]).milder == 1
    assert compare([first, of(single(*TINT, 5, 1))], [TINT]).milder is None


def test_of_a_number_without_a_limit_nobody_knows_which_way_is_worse():
    first, second = of(single("clip_i", "clip_i", 0.9, 0.01)), of(single("clip_i", "clip_i", 0.5, 0.01))
    assert compare([first, second], [("clip_i", "clip_i")]).milder is None


def test_who_is_milder_in_one_number_and_not_in_another_is_not_the_milder():
    first = of(single(*DROP, 0.5, 0.01), single(*TINT, 1, 0.1))
    second = of(single(*DROP, 0.1, 0.01), single(*TINT, 5, 0.1))
    compared = compare([first, second], [DROP, TINT])
    assert compared.milder is None
    assert [compared.milder_in(place) for place in (0, 1)] == [(TINT,), (DROP,)]


@pytest.mark.parametrize(
    "other",
    [
        of(colors(1, 2)),  # fewer prompts
        of(dataclasses.replace(colors(1, 2, 3), version=99)),
        of(dataclasses.replace(colors(1, 2, 3), prompts={"cdi": (1.0, 2.0, math.nan)})),
        of(dataclasses.replace(colors(1, 2, 3), prompts={})),
        of(drift([1, 2, 3, 4])),
    ],
)
def test_what_is_not_of_the_same_prompts_has_no_difference(other):
    (found,) = compare([of(colors(3, 2, 1)), other], [CDI]).numbers
    assert found.difference is None


def test_only_reports_of_one_base_that_were_asked_alike_are_compared():
    good = of(colors(1, 2))
    elsewhere = dataclasses.replace(good.base, digest="x")
    renamed = dataclasses.replace(elsewhere, name="y")
    others = {
        "": good,
        "audited on different bases, two called owf demo base": dataclasses.replace(good, base=elsewhere),
        "audited on different bases, owf demo base and y": dataclasses.replace(good, base=renamed),
        "asked differently (seed)": dataclasses.replace(good, plan={**good.plan, "seed": 1}, plan_digest="x"),
        "asked differently (in another way)": dataclasses.replace(good, plan_digest="x"),
    }
    for said, other in others.items():
        found = incomparable([good, other], ["a", "b"])
        assert found.startswith(f"a and b were {said}: audit both" if said else "") and bool(found) == bool(said)
    empty = samples.invalid_report()
    for places in ((good, empty), (empty, good)):
        name = "ab"[places.index(empty)]
        assert incomparable(places, ["a", "b"]).startswith(
            f"{name} has no numbers to compare. The LoRA changes no module"
        )


def test_pictures_are_beside_each_other_where_prompt_and_seed_are_the_same():
    pair = ImagePair("p", 1, 3.0, "a.png", "b.png")
    more, later, own = (dataclasses.replace(pair, **c) for c in ({"change": 9.0}, {"seed": 2}, {"prompt": "q"}))
    first, second = of(colors(1, 2), pairs=(pair, later)), of(colors(1, 2), pairs=(own, more))
    assert common_pairs([first, second]) == [[pair, more]]
    assert common_pairs([first]) == [[pair], [later]]
    assert common_pairs([first, dataclasses.replace(second, plan_digest="other")]) == []
