"""The largest strength that passes is what the verdicts say, and no more."""

import pytest
from owf.core.ledger.sweep import largest_passing, passing

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
    ],
)
def test_what_passes_and_what_is_left_open(verdicts, said):
    assert largest_passing(verdicts) == said


def test_passing_ends_at_the_first_strength_that_does_not():
    verdicts = [(1.0, "PASS"), (0.25, "PASS"), (0.5, "INCONCLUSIVE"), (-0.1, "PASS")]
    assert passing(verdicts) == [-0.1, 0.25]
    assert passing(verdicts[:1]) == [1.0] and passing([(0.5, "DRIFT")]) == passing([]) == []
