"""The largest strength that passes is what the verdicts say, and no more."""

import math

import pytest
from owf.core.ledger.row import Number, Row
from owf.core.ledger.sweep import largest_passing, passing, sweeps

P, D, Q, X = "PASS", "DRIFT", "INCONCLUSIVE", "INVALID"
BETWEEN = ": the largest strength that passes lies between."


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([(0.5, P), (1.0, P)], "passes at every strength that was asked, up to 1."),
        ([(1.0, D), (0.5, P)], "passes up to 0.5, and drifts at 1" + BETWEEN),
        (
            [(0.5, P), (0.8, Q), (1.0, D)],
            "passes up to 0.5, and drifts at 1" + BETWEEN,
        ),
        ([(0.5, P), (0.8, Q)], "passes up to 0.5, and whether it drifts at 0.8 is not decided."),
        ([(0.5, D), (1.0, D)], "passes at none of these strengths, and drifts at 0.5."),
        (
            [(0.5, D), (1.0, P)],
            "passes at none of these strengths, and drifts at 0.5.",
        ),
        ([(0.5, X), (1.0, X)], "passes at none of these strengths, and whether it drifts at 0.5 is not decided."),
        ([(-1.0, D), (-0.5, P)], "passes up to -0.5, and drifts at -1" + BETWEEN),
        ([(-1.0, D), (0.5, P), (1.0, P)], "passes at every positive strength that was asked, up to 1."),
        ([(-1.0, D), (-0.1, D), (0.5, P), (1.0, D)], "passes up to 0.5, and drifts at 1" + BETWEEN),
        ([(-0.5, P), (0.5, D)], "passes at none of these positive strengths, and drifts at 0.5."),
    ],
)
def test_what_passes_and_what_is_left_open(verdicts, said):
    assert largest_passing(verdicts) == said


def test_passing_ends_at_the_first_strength_that_does_not():
    verdicts = [(1.0, "PASS"), (0.25, "PASS"), (0.5, "INCONCLUSIVE"), (-0.1, "PASS")]
    assert passing(verdicts) == [0.25]
    assert passing([(-1.0, "PASS"), (1.0, "DRIFT")]) == []  # turned round, it is another change
    assert passing(verdicts[:1]) == [1.0] and passing([(0.5, "DRIFT")]) == passing([]) == []


def number(value, half, limit=1.0, name="cdi", alarm=False):
    low, high = value - half, value + half
    silent = "NO ALARM" if alarm else P if high <= limit else Q
    return Number("color", name, value, low, high, 9, "delta_e", None, limit, D if low > limit else silent)


def row(strength, *numbers, name="x", **changes):
    decisions = {n.decision for n in numbers}
    verdict = D if D in decisions else Q if Q in decisions else P if numbers else X
    return Row(name, name, "9f", strength, changes.pop("stack", ""), "ask", "complete", verdict, numbers=numbers)


def only(*rows):
    (found,) = sweeps(rows)
    return found.threshold, found.shown()


def test_a_straight_line_meets_its_limit_where_algebra_says():
    # The value is 2 s and its interval 2 s - 0.4 to 2 s + 0.4, so they meet the limit 1 at 0.5, 0.7 and 0.3.
    threshold, shown = only(*(row(s, number(2 * s, 0.4)) for s in (1.0, 0.25, 0.75)))
    assert (threshold.at, threshold.passes, threshold.drifts) == pytest.approx((0.5, 0.3, 0.7))
    assert (threshold.by, shown) == (("color", "cdi"), "0.5 (0.3 to 0.7)")


def test_the_number_that_reaches_its_limit_first_decides():
    rows = [row(s, number(s, 0.0, 0.9), number(s, 0.1, 0.6, "other")) for s in (0.5, 1.0)]
    threshold, _ = only(*rows)
    assert (threshold.at, threshold.by, threshold.passes) == (
        pytest.approx(0.6),
        ("color", "other"),
        pytest.approx(0.5),
    )


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.1, 0.2), "beyond 1 (1 to open)"),
        ((3.0, 9.0), "below 0.5 (0 to 0.5)"),
        ((0.9, 0.99), "beyond 1 (0.5 to open)"),  # never above its limit, and within it only at the weakest
    ],
)
def test_what_lies_outside_of_what_was_asked_is_said_so(values, shown):
    assert only(*(row(s, number(v, 0.1)) for s, v in zip((0.5, 1.0), values, strict=True)))[1] == shown


def test_an_alarm_keeps_from_passing_where_it_fires_and_proves_nothing_where_not():
    quiet = [number(v, 0.5, 1.0, "alarm", alarm=True) for v in (0.5, 2.5)]  # fires from 1.5 on: at 0.75
    threshold, _ = only(*(row(s, number(0.0, 0.1), n) for s, n in zip((0.5, 1.0), quiet, strict=True)))
    assert (threshold.at, threshold.passes, threshold.drifts) == pytest.approx((0.75, 0.75, 0.75))
    assert only(*(row(s, n) for s, n in zip((0.5, 1.0), quiet, strict=True))) == (None, "")


def test_beyond_a_strength_without_numbers_nothing_is_known():
    threshold, shown = only(row(0.5, number(0.1, 0.1)), row(0.8), row(1.0, number(0.2, 0.1)))
    assert (threshold.passes, threshold.at, shown) == (0.5, math.inf, "beyond 0.5 (0.5 to open)")


def test_open_intervals_are_on_the_safe_side():
    open_ = Number("color", "cdi", 0.5, -math.inf, math.inf, 2, "delta_e", None, 1.0, Q)
    threshold, _ = only(row(0.5, number(0.1, 0.1)), row(1.0, open_))
    assert (threshold.passes, threshold.drifts) == (0.5, math.inf)
    threshold, _ = only(row(0.5, open_), row(1.0, number(3.0, 0.1)))
    assert (threshold.passes, threshold.drifts) == (0.0, 1.0)


def test_both_directions_are_not_mixed():
    _, shown = only(row(-1.0, number(9.0, 0.1)), *(row(s, number(2 * s, 0.4)) for s in (0.0, 0.25, 1.0)))
    assert shown == "0.5 (0.3 to 0.7)"
    _, shown = only(*(row(s, number(-2 * s, 0.4)) for s in (-0.25, -1.0)))
    assert shown == "-0.5 (-0.3 to -0.7)"


def test_the_ends_are_rounded_to_the_safe_side():
    # The value is s and its interval s - 0.087 to s + 0.044: they meet the limit 1 at 1, 1.087 and 0.956.
    sure = [Number("color", "cdi", s, s - 0.087, s + 0.044, 9, "delta_e", None, 1.0, Q) for s in (0.5, 2.0)]
    assert only(*(row(s, n) for s, n in zip((0.5, 2.0), sure, strict=True)))[1] == "1 (0.95 to 1.1)"
    _, shown = only(*(row(-s, n) for s, n in zip((0.5, 2.0), sure, strict=True)))
    assert shown == "-1 (-0.95 to -1.1)"


def test_only_rows_of_one_lora_question_and_stack_belong_together():
    rows = [row(0.5, number(0.1, 0.1)), row(1.0, number(0.1, 0.1)), row(0.5, number(0.1, 0.1), stack="9f@1")]
    rows += [row(s, number(2 * s, 0.4), name="y") for s in (1.0, 0.25)]
    assert [(s.title, [r.strength for r in s.rows]) for s in sweeps(rows)] == [("x", [0.5, 1.0]), ("y", [0.25, 1.0])]
    said = sweeps(rows)[1].sentence()
    assert said.startswith("y: passes up to 0.25, and drifts at 1") and said.endswith("at 0.5 (0.3 to 0.7).")


def test_a_change_that_goes_either_way_reaches_its_limit_on_either_side():
    shifts = [
        Number("color_shift", "saturation_change", -2 * s, -2 * s - 0.4, -2 * s + 0.4, 9, "percent", None, 1.0, P)
        for s in (0.25, 1.0)
    ]
    threshold, shown = only(*(row(s, n) for s, n in zip((0.25, 1.0), shifts, strict=True)))
    assert (threshold.by, shown) == (("color_shift", "saturation_change"), "0.5 (0.3 to 0.7)")
