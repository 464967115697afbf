"""A verdict that was decided early is no PASS by any other policy: what it left out may be anything."""

import dataclasses

import pytest
import report_samples as samples
from owf.core.verdict.policy import Limit, Policy
from owf.core.verdict.rejudge import left_out, rejudged
from owf.core.verdict.report import parse_report, to_json

MILD = Policy((Limit("color", "cdi", 1000.0),), "mild")


def part(*metrics):
    whole = samples.report()
    return dataclasses.replace(whole, measurements={name: whole.measurements[name] for name in metrics})


def test_a_milder_policy_decides_nothing_of_a_part():
    assert rejudged(samples.report(), MILD).verdict.decision == "PASS"
    found = rejudged(part("color"), MILD)
    assert found.verdict.decision == "INCONCLUSIVE"
    assert "denoiser_drift, kid, semantic" in found.verdict.reasons[0]
    assert parse_report(to_json(found), "it").verdict == found.verdict


def test_a_policy_that_a_part_breaks_does():
    assert rejudged(part("color"), Policy((Limit("color", "cdi", 0.001),), "strict")).verdict.decision == "DRIFT"


@pytest.mark.parametrize("metrics", [None, "color", {}, 7])
def test_a_plan_that_names_no_metrics_leaves_none_out(metrics):
    report = dataclasses.replace(part("color"), plan={"metrics": metrics})
    assert left_out(report) == ()
