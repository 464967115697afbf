"""Claim: on a base that seems to know nothing no PASS is given, unless a metric showed that it knows something."""

import dataclasses

import pytest
from owf.core.errors import UsageError
from owf.core.metrics.measurement import Estimate, Measurement
from owf.core.verdict.judge import NO_KNOWLEDGE, follows, judge
from owf.core.verdict.policy import Limit, Policy
from owf.core.verdict.rejudge import rejudged
from owf.core.verdict.report import parse_report, to_json
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE, PASS
from report_samples import report

DOUBT = "The base predicts no better than the trivial predictor."
LIMITS = Policy((Limit("denoiser_drift", "drift", 0.1), Limit("semantic", "accuracy_drop", 0.1)))


def _moved(low, high):
    return {
        "denoiser_drift": Measurement(
            "denoiser_drift", 1, "drift", {"drift": Estimate(high, low, high, 64, "relative")}
        )
    }


KNOWS = {
    "semantic": Measurement("semantic", 1, "accuracy_drop", {"accuracy_drop": Estimate(0, -0.1, 0.05, 64, "share")})
}


@pytest.mark.parametrize(
    ("measured", "decision"),
    [
        (_moved(0.0, 0.05), INCONCLUSIVE),
        (_moved(0.0, 0.2), INCONCLUSIVE),
        (_moved(0.2, 0.3), DRIFT),
        ({**_moved(0.0, 0.05), **KNOWS}, PASS),
        ({**_moved(0.2, 0.3), **KNOWS}, DRIFT),
    ],
)
def test_little_that_moved_is_no_pass_where_nothing_was_known(measured, decision):
    plain, verdict = judge(measured, LIMITS), judge(measured, LIMITS, DOUBT)
    assert verdict.decision == decision
    assert DOUBT + NO_KNOWLEDGE in verdict.reasons and verdict.judgements == plain.judgements
    assert follows(verdict, measured)
    if plain.decision != decision:
        assert verdict.reasons[0].startswith(DOUBT)  # it is what decides
        assert not follows(dataclasses.replace(verdict, decision=plain.decision), measured)


def test_a_report_keeps_the_doubt_whatever_policy_judges_it_anew():
    measured = _moved(0.0, 0.05)
    made = dataclasses.replace(report(), measurements=measured, verdict=judge(measured, LIMITS, DOUBT), plan={})
    assert parse_report(to_json(made), "report.json").verdict.decision == INCONCLUSIVE
    strict = rejudged(made, Policy((Limit("denoiser_drift", "drift", 0.0),)))
    assert strict.verdict.decision == INCONCLUSIVE and strict.verdict.reasons[-1] == DOUBT + NO_KNOWLEDGE
    again = rejudged(strict, LIMITS).verdict
    assert again.decision == INCONCLUSIVE and again.reasons.count(DOUBT + NO_KNOWLEDGE) == 1
    assert again.reasons[0] == DOUBT + NO_KNOWLEDGE


def test_a_report_that_says_pass_and_that_nothing_was_known_is_refused():
    measured = _moved(0.0, 0.05)
    verdict = dataclasses.replace(judge(measured, LIMITS, DOUBT), decision=PASS)
    with pytest.raises(UsageError):
        parse_report(to_json(dataclasses.replace(report(), measurements=measured, verdict=verdict)), "report.json")
