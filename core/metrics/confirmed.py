"""Does what the damage map suspects still come when it is asked for? Pictures before and after, seen by the base."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..plan.audit_plan import AuditPlan
from .evidence import Confirmed, Screened
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .screening.inference.sequence import mean_sequence
from .statistics import accuracy_estimate, simultaneous_level

VERSION = 1
"""Version of the definition in docs/metrics.md."""

LIMIT = 0.25
"""Drop at which a group is lost: that of the worst class of `semantic`."""

_RISKED = 0.9
"""Share of the capital that a bet may risk: with the usual half, a group that is lost whole took twice the pictures."""


def drop_so_far(before: Sequence[int] | np.ndarray, after: Sequence[int] | np.ndarray, groups: int) -> Estimate:
    """Return the share of pictures that show what was asked for and do not any more, less those the other way.

    `before` and `after` are answers, of which 0 is right. The interval holds at every look, and those of all groups
    together.
    """
    lost = (np.asarray(before) == 0).astype(float) - (np.asarray(after) == 0)
    return mean_sequence(lost, -1.0, 1.0, "share", simultaneous_level(groups), _RISKED)[-1]


def is_decided(drop: Estimate) -> bool:
    """Return whether more pictures would say nothing new of the limit."""
    return drop.low > LIMIT or drop.high <= LIMIT


def summarise_confirmed(seen: Confirmed) -> Measurement:
    """Return how often what was asked for came before and after, for each group, and what came instead."""
    count = len(seen.groups)
    drops = [drop_so_far(b, a, count) for b, a in zip(seen.before, seen.after, strict=True)]
    worst = max(range(1, count), key=lambda i: (drops[i].low, drops[i].value), default=0)
    return Measurement(
        "confirmed",
        VERSION,
        headline="confirmed_drop",
        estimates={
            "confirmed_drop": drops[worst],
            "confirmed_base": accuracy_estimate(np.asarray(seen.before[worst]) == 0),
            "confirmed_tuned": accuracy_estimate(np.asarray(seen.after[worst]) == 0),
            "control_drop": drops[0],
        },
        breakdowns={
            "confirmed": tuple(Part(f"{group.name}: {_told(seen, i)}", drops[i]) for i, group in enumerate(seen.groups))
        },
        facts={
            "groups": count,
            "pictures": sum(len(before) for before in seen.before),
            "worst_confirmed": seen.groups[worst].name,
        },
    )


def _told(seen: Confirmed, group: int) -> str:
    """Return what came of a group before and after, such as "93 % -> 13 %, now bag"."""
    before, after = (np.asarray(answers[group]) for answers in (seen.before, seen.after))
    told = f"{100 * np.mean(before == 0):.0f} % -> {100 * np.mean(after == 0):.0f} %"
    labels = seen.groups[group].labels
    instead = Counter(labels[i][answer] for i, answer in enumerate(after) if answer and before[i] == 0)
    return f"{told}, now {instead.most_common(1)[0][0]}" if instead else told


def measure_confirmed(plan: AuditPlan, tools: Tools, screened: Screened, seen: Confirmed) -> Measurement:
    """Return what the base sees in pictures of what the map suspects."""
    return summarise_confirmed(seen)


METRIC = Metric(
    name="confirmed",
    order=72,
    title="Confirmed",
    question="Does what the damage map suspects still come when it is asked for?",
    reading="What the map names, the concepts that moved most, and some at random are drawn before and after from the "
    "same noise, and the base itself tells what the pictures show, among what is nearest to it. The drop counts "
    "pictures that do not show what was asked for any more. It draws until that is decided.",
    needs=(Screened, Confirmed),
    measure=measure_confirmed,
    quantities={
        # Few pictures of each: they can show a loss, and not that there is none.
        "confirmed_drop": Quantity(
            "Lost when asked for",
            "drop of pictures that show what was asked for",
            limit=LIMIT,
            test="alarm",
            names="worst_confirmed",
        ),
        "confirmed_base": Quantity("Got when asked for, base", is_level=True),
        "confirmed_tuned": Quantity("Got when asked for, LoRA", is_level=True),
        "control_drop": Quantity(
            "Lost of any concept", "drop of pictures that show what was asked for, of any concept"
        ),
    },
    breakdowns={
        "confirmed": Breakdown(
            "What still comes when it is asked for",
            "Points of the pictures that do not show any more what was asked for, as the base sees them. The intervals "
            "hold for all groups together, and at every look.",
            worst_first=True,
            worse="lost",
            in_terminal="Lost when asked for",
        )
    },
)
