"""Equivalence tests, alarms and their combination."""

import dataclasses
import math

import pytest
from owf.core.errors import InvalidError, Setting, UsageError
from owf.core.metrics.measurement import Estimate, Measurement, Part, require_numbers
from owf.core.verdict.judge import follows, judge, samples_to_decide, unjudged
from owf.core.verdict.policy import Limit, Policy, default_policy, read_policy
from owf.core.verdict.reasons import reason
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE, INVALID, NO_ALARM, PASS, invalid


def seen(low: float, high: float, n: int = 100) -> dict[str, Measurement]:
    estimate = Estimate((low + high) / 2, low, high, n, "share")
    return {"semantic": Measurement("semantic", 1, "accuracy_drop", {"accuracy_drop": estimate})}


def policy(test: str = "equivalence") -> Policy:
    return Policy((Limit("semantic", "accuracy_drop", 0.1, test),))


@pytest.mark.parametrize(
    ("low", "high", "test", "decision", "code"),
    [
        (0.0, 0.1, "equivalence", PASS, 0),
        (0.11, 0.3, "equivalence", DRIFT, 1),
        (0.05, 0.15, "equivalence", INCONCLUSIVE, 3),
        (-0.2, -0.1, "equivalence", PASS, 0),
        (0.05, 0.5, "alarm", INCONCLUSIVE, 3),  # a silent alarm alone shows nothing
        (0.11, 0.5, "alarm", DRIFT, 1),
        (-math.inf, math.inf, "equivalence", INCONCLUSIVE, 3),
    ],
)
def test_decision_follows_the_interval(low, high, test, decision, code):
    measured = seen(low, high)
    verdict = judge(measured, policy(test))
    assert (verdict.decision, verdict.exit_code) == (decision, code)
    assert verdict.reasons or decision == PASS


def test_drift_outweighs_inconclusive_outweighs_pass():
    measured = seen(0.0, 0.05) | {
        "color": Measurement("color", 1, "cdi", {"cdi": Estimate(9, 8, 12, 10, "delta_e")}),
        "kid": Measurement("kid", 1, "kid", {"kid": Estimate(1, 0.9, 1.1, 10)}),
    }
    limits = [Limit("semantic", "accuracy_drop", 0.1), Limit("color", "cdi", 10), Limit("kid", "kid", 0.5)]
    assert judge(measured, Policy(tuple(limits))).decision == DRIFT
    assert judge(measured, Policy(tuple(limits[:2]))).decision == INCONCLUSIVE
    assert judge(measured, Policy(tuple(limits[:1]))).decision == PASS


ALARMED = Policy((Limit("semantic", "accuracy_drop", 0.1), Limit("semantic", "worst_class_drop", 0.25, "alarm")))


def with_worst(
    value: float, low: float, high: float, drop: tuple[float, float] = (0.0, 0.05)
) -> dict[str, Measurement]:
    measured = seen(*drop)
    measured["semantic"].estimates["worst_class_drop"] = Estimate(value, low, high, 6, "share", 0.4)
    return measured


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.733, 0.1, 1.0, "above the limit, but its interval reaches below"),
        (0.2, 0.1, 1.0, "its interval reaches above"),
        (0.1, 0.0, 0.2, "its whole interval"),
    ],
)
def test_an_alarm_that_did_not_fire_is_no_pass_and_says_why(value, low, high, said):
    measured = with_worst(value, low, high)
    verdict = judge(measured, ALARMED)
    silent = verdict.judgements[1]
    assert [j.decision for j in verdict.judgements] == [PASS, NO_ALARM]
    assert said in silent.reason and f"{100 * value:.1f} points" in silent.reason
    # It neither hinders nor helps: the equivalence limit decides.
    assert verdict.decision == PASS and silent.reason in verdict.reasons
    assert judge(with_worst(value, low, high, (0.05, 0.15)), ALARMED).decision == INCONCLUSIVE
    assert judge(with_worst(value, low, high, (0.11, 0.15)), ALARMED).decision == DRIFT
    assert follows(verdict, measured)


def test_an_alarm_that_fires_is_drift_whatever_else_holds():
    assert judge(with_worst(0.7, 0.26, 1.0), ALARMED).decision == DRIFT


def test_alarms_alone_never_say_pass():
    verdict = judge(with_worst(0.1, 0.0, 0.2), Policy(ALARMED.limits[1:]))
    assert (verdict.decision, verdict.exit_code) == (INCONCLUSIVE, 3)
    assert "Only alarms" in verdict.reasons[0]
    assert follows(verdict, with_worst(0.1, 0.0, 0.2))


def test_nothing_measured_is_invalid_never_pass():
    verdict = judge({}, policy())
    assert (verdict.decision, verdict.exit_code) == (INVALID, 4)


def test_what_has_no_limit_is_inconclusive_and_known_before_it_is_measured():
    drawn = {"dino_drift": Measurement("dino_drift", 1, "dino_drift", {"dino_drift": Estimate(0.1, 0.0, 0.2, 10)})}
    verdict = judge(drawn)
    assert (verdict.decision, verdict.exit_code, verdict.judgements) == (INCONCLUSIVE, 3, ())
    assert verdict.reasons == (unjudged(("dino_drift", "lpips"), default_policy()),)
    assert "No measured metric has a limit" in verdict.reasons[0]
    assert verdict.worded(lambda setting: setting.name)[0].endswith("(policy, metrics).")
    assert unjudged(("dino_drift", "kid"), default_policy()) == ""
    own = Policy((Limit("dino_drift", "dino_drift", 0.3),))
    assert unjudged(("dino_drift",), own) == ""
    assert judge(drawn, own).decision == PASS
    assert follows(verdict, drawn)
    assert follows(invalid("said so by an earlier release"), drawn)
    assert not follows(verdict, {})
    assert not follows(dataclasses.replace(verdict, decision=PASS), drawn)


def test_skipped_metrics_are_named():
    verdict = judge(seen(0, 0.05), Policy((*policy().limits, Limit("kid", "kid", 1))))
    assert any("kid" in reason for reason in verdict.reasons)


def test_inconclusive_says_how_many_samples_would_decide():
    # Half-width 0.05 at n = 100, gap 0.02: (0.05 / 0.02)^2 = 6.25 times as many
    assert samples_to_decide(Estimate(0.08, 0.03, 0.13, 100), 0.1) == 625
    assert samples_to_decide(Estimate(0.1, 0.05, 0.15, 100), 0.1) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.08, "About 625 samples in all would decide it."),
        (0.0945, "About 8,265 samples in all would decide it."),
        (0.0996, "so near the limit that 100 times as many samples would not decide it."),
        (0.1, "above the limit of 10 %."),
    ],
)
def test_nobody_is_asked_for_more_samples_than_anybody_draws(value, said):
    estimate = Estimate(value, value - 0.05, value + 0.05, 100, "relative")
    (judgement,) = judge(
        {"kid": Measurement("kid", 1, "kid_relative", {"kid_relative": estimate})},
        Policy((Limit("kid", "kid_relative", 0.1),)),
    ).judgements
    assert judgement.reason.endswith(said)


def test_policy_file_is_read(tmp_path):
    file = tmp_path / "strict.toml"
    file.write_text('[[limit]]\nmetric = "semantic"\nestimate = "accuracy_drop"\nlimit = 0.02\n')
    assert read_policy(file) == Policy((Limit("semantic", "accuracy_drop", 0.02),), "strict")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "limit = 3",
        "[[limit]]\nmetric = 1",
        '[[limit]]\nmetric = "a"\nestimate = "b"\nlimit = "0.1"',
        '[[limit]]\nmetric = "a"\nestimate = "b"\nlimit = nan',
        '[[limit]]\nmetric = "a"\nestimate = "b"\nlimit = 1\ntest = "x"',
        '[[limit]]\nmetric = "a"\nestimate = "b"\nlimit = true',
        "not toml",
        '[[limit]]\nmetric = "semantics"\nestimate = "accuracy_drop"\nlimit = 0.1',
        '[[limit]]\nmetric = "semantic"\nestimate = "accurracy_drop"\nlimit = 0.1',
        '[[limit]]\nmetric = "color"\nestimate = "cdi"\nlimit = 1\n[[limits]]\nmetric = "kid"',
    ],
)
def test_broken_policy_files_are_usage_errors(tmp_path, text):
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_policy(file)
    assert Setting("policy") in caught.value.settings


def test_unknown_estimate_in_a_policy_is_a_usage_error():
    with pytest.raises(UsageError, match="accuracy_drop"):
        judge(seen(0, 1), Policy((Limit("semantic", "accurracy", 0.1),)))


@pytest.mark.parametrize("broken", [(math.nan, 0, 1), (math.inf, 0, 1), (0, math.nan, 1), (0, 0, math.nan)])
def test_what_is_no_number_is_no_measurement(broken):
    """It is on neither side of a limit, and an alarm would be silent."""
    value, low, high = broken
    estimate = Estimate(value, low, high, 3)
    for estimates, lines in (({"a": estimate}, ()), ({}, (Part("line", estimate),))):
        with pytest.raises(InvalidError, match=r"color_shift.*NaN or infinite"):
            require_numbers(Measurement("color_shift", 2, "a", estimates, {"b": lines}))


def test_nobody_draws_as_many_samples_as_a_limit_next_to_the_number_would_take():
    assert samples_to_decide(Estimate(1e-300, -1e300, 1e300, 100), 0.0) is None


@pytest.mark.parametrize(
    ("floor", "said"), [(1.9e-13, "noise floor below 0.0001 %"), (2e-3, "noise floor 0.2 %"), (0.0, "noise floor 0 %")]
)
def test_a_floor_that_is_arithmetic_alone_has_no_digits(floor, said):
    estimate = Estimate(0.003, 0.002, 0.004, 40, "relative", floor)
    assert said in reason(Limit("denoiser_drift", "drift", 0.01), estimate, PASS, None)
