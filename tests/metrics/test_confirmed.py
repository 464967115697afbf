"""A confirmation holds although the worst were chosen, and although it looks after every block."""

import numpy as np
import pytest
from owf.core.metrics.confirmed import LIMIT, drop_so_far, is_decided, summarise_confirmed
from owf.core.metrics.evidence import Confirmed, Suspects
from owf.core.plan.screening.confirmation import BLOCK, GROUPS, PICTURES
from owf.core.verdict.judge import judge
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE
from planted_rows import seen

# The error of 5 % is a bound; of 100 runs, 11 or more would exceed it with a chance of 3 %.
RUNS, MOST_WRONG = 100, 11


def answers(rng, right_before: float, right_after: float, count: int = PICTURES) -> tuple[list[int], list[int]]:
    """Return independent answers, of which 0 is right: pairing only helps."""
    return tuple((rng.uniform(size=count) >= share).astype(int).tolist() for share in (right_before, right_after))


def looks(before, after):
    """Return what is known at each look, until it is decided."""
    for count in range(BLOCK, PICTURES + 1, BLOCK):
        drop = drop_so_far(before[:count], after[:count], GROUPS)
        yield drop
        if is_decided(drop):
            return


def test_the_most_suspected_of_harmless_concepts_are_not_confirmed():
    """All concepts lie at the screening's limit and get as many right answers as before; the luckiest are asked."""
    rng, missed, alarms = np.random.default_rng(0), 0, 0
    for _ in range(RUNS):
        p = seen(np.zeros(60), rng).above(0.0)
        rights = rng.uniform(0.5, 1.0, 60)  # some are drawn less well than others, before and after
        drops = [list(looks(*answers(rng, rights[i], rights[i]))) for i in np.argsort(p)[:GROUPS]]
        missed += any(not drop.low <= 0 <= drop.high for group in drops for drop in group)
        alarms += any(drop.low > LIMIT for group in drops for drop in group)
    assert missed < MOST_WRONG
    assert alarms == 0  # a quarter is far from none


@pytest.mark.parametrize("size", [LIMIT, 0.6])
def test_the_true_drop_is_inside_at_every_look(size):
    rng, missed = np.random.default_rng(1), 0
    for _ in range(RUNS):
        groups = [list(looks(*answers(rng, 0.9, 0.9 - size))) for _ in range(GROUPS)]
        missed += any(not drop.low <= size <= drop.high for group in groups for drop in group)
    assert missed < MOST_WRONG


def test_what_is_lost_whole_is_decided_early_and_larger_losses_earlier():
    lost = list(looks([0] * PICTURES, [1] * PICTURES))
    assert lost[-1].low > LIMIT and lost[-1].n <= 12
    kept = list(looks([0] * PICTURES, [0] * PICTURES))
    assert kept[-1].n == PICTURES and kept[-1].low < 0 < kept[-1].high
    rng, spent = np.random.default_rng(2), []
    for size in (0.5, 0.7, 0.9):
        runs = [list(looks(*answers(rng, 0.95, 0.95 - size)))[-1] for _ in range(40)]
        spent.append(np.mean([run.low > LIMIT for run in runs]))
    assert spent == sorted(spent)


def confirmed(after: int) -> Confirmed:
    """Return a control that is whole, and sandals of which so many of 18 still come."""
    control = Suspects("concepts drawn at random", (("a", "b"),) * PICTURES, (("a", "b"),) * PICTURES)
    labels = (("sandal", "bag", "coat"),) * PICTURES
    sandal = Suspects("sandal (275 concepts)", (("a sandal", "a bag", "a coat"),) * PICTURES, labels)
    seen_after = np.array([0] * after + [1] * (15 - after) + [2] * 3)
    whole = np.zeros(PICTURES, int)
    return Confirmed((control, sandal), (whole, np.array([0] * 17 + [2])), (whole, seen_after), ())


def test_what_came_instead_is_told():
    found = summarise_confirmed(confirmed(1))
    assert found.facts["worst_confirmed"] == "sandal (275 concepts)"
    told = ["concepts drawn at random: 100 % -> 100 %", "sandal (275 concepts): 94 % -> 6 %, now bag"]
    assert [part.label for part in found.breakdowns["confirmed"]] == told
    assert found.estimates["confirmed_base"].value == pytest.approx(17 / 18)
    verdict = judge({"confirmed": found})
    assert verdict.decision == DRIFT
    assert verdict.reasons[0].startswith("sandal (275 concepts): the drop of pictures")


def test_an_alarm_that_is_silent_is_no_pass():
    found = summarise_confirmed(confirmed(15))
    assert judge({"confirmed": found}).decision == INCONCLUSIVE
    assert found.estimates["control_drop"].value == 0
