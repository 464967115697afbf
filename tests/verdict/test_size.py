"""Limits of changes that go either way: their size is judged, in either direction, and so it is worded and drawn."""

import dataclasses

import pytest
from owf.core.metrics.measurement import Estimate, Measurement
from owf.core.metrics.metric import all_metrics
from owf.core.render.audited import Audited, headlines, worst_first
from owf.core.render.bars import bar
from owf.core.render.html.number import number
from owf.core.verdict.judge import follows, judge
from owf.core.verdict.policy import Limit, Policy, default_policy
from owf.core.verdict.size import goes_either_way, limits, size
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE, NO_ALARM, PASS
from report_samples import report

LENGTH = Estimate(1.0, 0.5, 2.0, 64, "delta_e", 0.3)


def shift(estimate: Estimate, name: str = "saturation_change", length: Estimate = LENGTH) -> dict[str, Measurement]:
    return {"color_shift": Measurement("color_shift", 1, "color_shift", {"color_shift": length, name: estimate})}


def saturation(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 64, "relative", 0.02)


@pytest.mark.parametrize(
    ("low", "high", "equivalence", "alarm"),
    [
        (-0.16, -0.14, DRIFT, DRIFT),
        (0.14, 0.16, DRIFT, DRIFT),
        (-0.12, -0.08, INCONCLUSIVE, NO_ALARM),
        (-0.3, 0.05, INCONCLUSIVE, NO_ALARM),
        (-0.05, 0.3, INCONCLUSIVE, NO_ALARM),
        (-0.1, 0.1, PASS, NO_ALARM),
        (-0.09, -0.02, PASS, NO_ALARM),
        (0.0, 0.0, PASS, NO_ALARM),
    ],
)
def test_the_size_of_a_change_is_judged_whichever_way_it_goes(low, high, equivalence, alarm):
    for test, expected in (("equivalence", equivalence), ("alarm", alarm)):
        measured = shift(saturation(low, high))
        verdict = judge(measured, Policy((Limit("color_shift", "saturation_change", 0.1, test),)))
        assert verdict.judgements[0].decision == expected
        assert follows(verdict, measured)
        assert "10 % either way" in verdict.judgements[0].reason


def test_a_drop_is_still_judged_on_one_side_only():
    drop = Estimate(-0.2, -0.3, -0.1, 60, "share")
    assert size(drop, "accuracy_drop") == drop
    assert limits(Limit("semantic", "accuracy_drop", 0.1)) == (0.1,)
    assert limits(Limit("color_shift", "tint_a", 3.0)) == (-3.0, 3.0)


def test_how_many_samples_would_decide_follows_from_the_size():
    one, other = (
        judge(shift(saturation(*ends)), Policy((Limit("color_shift", "saturation_change", 0.1),))).judgements[0]
        for ends in ((-0.13, -0.03), (0.03, 0.13))
    )
    assert one.samples_to_decide == other.samples_to_decide == pytest.approx(64 * 2.5**2, abs=1)


def test_what_goes_either_way_is_what_has_words_for_both():
    named = {name for metric in all_metrics() for name in metric.quantities if goes_either_way(name)}
    assert {"lightness_shift", "saturation_change", "contrast_change", "tint_a", "tint_b"} <= named
    assert not {"color_shift", "cdi", "accuracy_drop", "clip_t_drop", "a number of another release"} & named


def test_by_default_the_shift_is_judged_and_the_drift_is_described():
    judged = {limit.estimate: (limit.limit, limit.test) for limit in default_policy().limits}
    assert "cdi" not in judged
    assert judged["color_shift"] == (5.0, "equivalence")
    assert judged["saturation_change"] == (0.1, "alarm")
    assert {judged[name] for name in ("lightness_shift", "tint_a", "tint_b")} == {(3.0, "alarm")}


def colored(**changes: Estimate) -> dict[str, Measurement]:
    quiet = {name: Estimate(0.1, -0.4, 0.6, 64, "L*", 0.5) for name in ("lightness_shift", "tint_a", "tint_b")}
    found = {"color_shift": LENGTH, **quiet, "saturation_change": saturation(-0.02, 0.04), **changes}
    return {"color_shift": Measurement("color_shift", 1, "color_shift", found)}


def test_alarms_that_have_nothing_to_say_are_silent():
    verdict = judge(colored())
    assert verdict.decision == PASS
    assert not [reason for reason in verdict.reasons if "alarm" in reason]
    wide = judge(colored(tint_a=Estimate(2.0, -1.0, 5.0, 64, "a*", 0.5)))
    assert wide.decision == PASS
    assert [reason for reason in wide.reasons if "No alarm at 3 a* either way" in reason]


def test_washed_out_colours_are_drift_and_the_reason_names_them():
    verdict = judge(colored(saturation_change=saturation(-0.16, -0.14)))
    assert verdict.decision == DRIFT
    assert verdict.reasons[0].startswith("The change of saturation is -15 % (95 % interval -16 % to -14 %")
    assert verdict.reasons[0].endswith("above the limit of 10 % either way.")


def test_a_number_that_the_pictures_do_not_have_is_not_judged_and_named():
    measured = colored()
    del measured["color_shift"].estimates["saturation_change"]  # as of gray pictures
    verdict = judge(measured)
    assert verdict.decision == PASS
    assert any("Not measured, so not judged: change of saturation" in reason for reason in verdict.reasons)
    alone = judge(measured, Policy((Limit("color_shift", "saturation_change", 0.1),)))
    assert (alone.decision, alone.judgements) == (INCONCLUSIVE, ())
    assert alone.reasons == ("Not measured, so not judged: change of saturation.",)
    assert follows(alone, measured)


def test_old_policies_of_colour_drift_mean_what_they_meant():
    measured = {"color": Measurement("color", 1, "cdi", {"cdi": Estimate(8.2, 5.6, 10.7, 44, "delta_e", 24.0)})}
    assert judge(measured, Policy((Limit("color", "cdi", 10.0),))).decision == INCONCLUSIVE
    assert judge(measured, Policy((Limit("color", "cdi", 11.0),))).decision == PASS


def drifted(**changes: Estimate):
    measured = colored(**changes)
    return dataclasses.replace(report(), measurements=measured, verdict=judge(measured))


def test_both_limits_are_drawn_and_a_bar_shows_the_one_on_its_side():
    judgement = next(j for j in drifted().verdict.judgements if j.estimate == "saturation_change")
    faded = saturation(-0.16, -0.14)
    assert str(number("saturation_change", faded, judgement).chart).count('class="limit"') == 2
    assert str(number("saturation_change", faded, judgement).chart).count('class="beyond"') == 2
    below, above = (
        bar("saturation_change", faded, judgement),
        bar("saturation_change", saturation(0.14, 0.16), judgement),
    )
    assert below["at"]["value"] < below["at"]["limit"] < below["at"]["zero"]
    assert above["at"]["zero"] < above["at"]["limit"] < above["at"]["value"]
    assert below["limit"] == above["limit"] == "±10 %"


def test_only_alarms_that_fired_are_compared_and_the_faded_lora_comes_first():
    calm, faded = drifted(), drifted(saturation_change=saturation(-0.16, -0.14))
    assert headlines([calm]) == [("color_shift", "color_shift")]
    assert headlines([calm, faded]) == [("color_shift", "color_shift"), ("color_shift", "saturation_change")]
    paler = drifted(saturation_change=saturation(-0.31, -0.29))
    order = worst_first([Audited("calm", calm), Audited("faded", faded), Audited("paler", paler)])
    assert [audit.name for audit in order] == ["paler", "faded", "calm"]
