"""Which metrics a PASS says nothing of."""

import dataclasses

import pytest
import report_samples as samples
from owf.core.plan.presets import METRICS
from owf.core.render import words
from owf.core.verdict.judge import judge
from owf.core.verdict.outcome import outcome
from owf.core.verdict.part import left_unjudged, left_unjudged_in
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE, INVALID


def test_a_pass_of_all_that_has_a_limit_is_whole_and_colours_alone_have_none():
    assert left_unjudged("PASS", METRICS) == left_unjudged("PASS", set(METRICS) - {"color"}) == ()
    assert left_unjudged("PASS", ["denoiser_drift", "map", "clip_i"]) == ("semantic", "color_shift", "kid")


@pytest.mark.parametrize("decision", [DRIFT, INCONCLUSIVE, INVALID])
def test_only_a_pass_is_in_part(decision):
    assert left_unjudged(decision, ["kid"]) == ()


def test_a_metric_that_was_measured_and_not_judged_is_left_out():
    report = samples.mapped_report()
    small = {"denoiser_drift": samples.denoiser_drift()}
    number = samples.estimate(0.001, 0.0005)
    small["denoiser_drift"] = dataclasses.replace(small["denoiser_drift"], estimates={"drift": number})
    small["color"] = report.measurements.get("color", small["denoiser_drift"])
    passed = dataclasses.replace(report, measurements=small, verdict=judge(small))
    assert left_unjudged_in(passed) == ("map", "semantic", "color_shift", "kid")
    assert outcome(passed) == "PASS, in part" and words.shown_decision(passed) == ""
    assert words.meaning(passed) == (
        "Everything that was judged stays within its limit. "
        "Not judged: Damage map, Knowledge, Colour shift, Texture and content."
    )
