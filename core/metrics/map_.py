"""What exactly did it damage? Thousands of concepts, a few rows each; definitions in docs/design/damage-map.md."""

from collections.abc import Sequence

import numpy as np

from ..plan.audit_plan import AuditPlan
from .evidence import Screened
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .screening.damage import Damage, Damages
from .screening.found import RATE, find
from .screening.inference.attributes import regress
from .screening.inference.discovery import selected_level, share_bounds
from .screening.inference.rows import ConceptMeans
from .screening.inference.shrinkage import shrink
from .screening.layout import grid_order
from .screening.moved import Moved
from .screening.ways import CONFUSED, HEARD, LIMIT, NOISE, WHOLE, allowed_beside, confusion, way
from .statistics import LEVEL, simultaneous_level, student_quantile

VERSION = 4
"""Version of the definition in docs/metrics.md."""

SHARE = 0.05
"""Share of damaged concepts that is harm: half of what one class, or one colour, of ten would be."""

STANDING = 3
"""Things that are said to stand out, damaged or not: `confirmed` asks them further."""

LINES, SUSPECTS = 100, 20
"""Damaged concepts that are listed, and others that moved most: more is a file and no report."""


def summarise_map(seen: Screened, told: Sequence[str] = (), claimed: Sequence[str] = ()) -> Measurement:
    """Return which concepts are damaged and how many, the one thing that they are, and what attributes do.

    Concepts that name what the user says that the LoRA is for, or what the file itself says, are shown apart and count
    for nothing else.
    """
    found = find(seen, told, claimed)
    moved, named = found.moved, found.named
    worst, worst_way = _worst(moved, named)
    order, width = grid_order(seen.embedding[found.places])
    return Measurement(
        "map",
        VERSION,
        headline="worst_damage",
        estimates={
            "worst_damage": worst_way,
            "typical_way": named.groups[0].way,
            "confusion": _confusion(seen, found.places),
            "damaged_share": _share(found.damaged, found.p),
            "typical_drift": _typical(moved.means),
        },
        breakdowns={
            "thing": _parts(moved, named.things),
            "damaged": _damaged(moved, found.damaged),
            "concept": moved.concept_ways(order, simultaneous_level(len(moved.concepts))),
            "attribute": _levels(moved),
            "suspected": _suspected(moved, found.damaged),
            "own": _own(found.own, moved.means),
        },
        facts={
            "concepts": len(moved.concepts),
            "map_width": width,
            "rows": int(seen.change.shape[1]),
            "timesteps": ", ".join(map(str, seen.timesteps)),
            "limit": LIMIT,
            "false_discovery_rate": RATE,
            "another_prompt": float(np.exp(moved.units.whole)),
            "found": int(found.damaged.sum()),
            "damaged": worst if named.things else "",
            "stands_out": ", ".join(part.label for part in _parts(moved, named.standing[:STANDING])),
            "worst": worst,
            "worst_concept": moved.concepts[int(np.argmax(moved.ways()))].label,
            "own_concepts": len(found.own.concepts),
            "trigger_words": "believed" if found.believed else "not believed: they would be too much of what is asked",
        },
    )


def _worst(moved: Moved, named: Damages) -> tuple[str, Estimate]:
    """Return the worst thing and its way: what is named first, or else the bounds of the worst level.

    A level has rows enough to be shown to be whole, and a single concept of many has not: these count in its place only
    where nothing has levels.
    """
    if named.things:
        [first] = _parts(moved, named.things[:1])
        return first.label, first.estimate
    worst = max(named.groups[1:], key=lambda group: group.way.value)
    # That none is beyond its limit takes no wider intervals than of one alone: each has to be shown not to be.
    low, high = max(group.way.low for group in named.groups[1:]), max(group.most for group in named.groups[1:])
    [part] = _parts(moved, [worst])
    return part.label, Estimate(worst.way.value, low, max(high, worst.way.value), worst.way.n, "relative")


def _parts(moved: Moved, things: Sequence[Damage]) -> tuple[Part, ...]:
    return tuple(Part(moved.name(thing.levels, thing.members), thing.way) for thing in things)


def _confusion(seen: Screened, places: np.ndarray) -> Estimate:
    contrast, norm, exchanged, near = (a[places] for a in (seen.contrast, seen.norm, seen.exchanged, seen.near))
    rows = ~near
    if (rows.sum() if len(rows) == 1 else rows.any(axis=1).sum()) < 2:
        rows = np.ones_like(near)  # of so few concepts, neighbours are better than no error at all
    scale = norm.copy()  # of each attribute, what exchanging it changes
    for name in np.unique(exchanged[rows]):
        scale[exchanged == name] *= max(float((contrast / norm)[rows & (exchanged == name)].mean()), HEARD * NOISE)
    return confusion(seen.toward[places], contrast, scale, rows)


def _share(damaged: np.ndarray, p: np.ndarray) -> Estimate:
    """Return the share of concepts that were found; its interval is that of closed testing, and holds the value."""
    low, high = share_bounds(p, 1 - LEVEL)
    value = float(damaged.mean())
    return Estimate(value, min(low, value), max(high, value), len(p), "share")


def _damaged(moved: Moved, which: np.ndarray) -> tuple[Part, ...]:
    order = [i for i in np.argsort(-moved.ways(), kind="stable") if which[i]][:LINES]
    return moved.concept_ways(np.array(order, int), selected_level(int(which.sum()), len(which), LEVEL))


def _own(own: Moved, means: ConceptMeans) -> tuple[Part, ...]:
    """Return how far the LoRA's own concepts went beyond what the others (`means`) did."""
    order = np.argsort(-own.means.mean, kind="stable")[:SUSPECTS]
    free = np.full(len(own.concepts), allowed_beside(means.mean))
    return own.concept_ways(order, simultaneous_level(len(own.concepts)), free)


def _suspected(moved: Moved, which: np.ndarray) -> tuple[Part, ...]:
    regression = regress(moved.means.mean, moved.means.spread, moved.attributes)
    if regression is None:
        return ()
    shrunk = shrink(moved.means.mean, moved.means.spread, regression)
    free, unit = moved.allowed(), moved.units.concepts
    value, low, high = (way(ends, free, unit) for ends in (shrunk.value, shrunk.low, shrunk.high))
    order = [i for i in np.argsort(-value, kind="stable") if not which[i]][:SUSPECTS]
    return tuple(
        Part(moved.concepts[i].label, Estimate(float(value[i]), float(low[i]), float(high[i]), 1, "relative"))
        for i in order
    )


def _levels(moved: Moved) -> tuple[Part, ...]:
    regression = regress(moved.means.mean, moved.means.spread, moved.attributes) if moved.attributes else None
    if regression is None:
        return ()
    sizes = {(a.name, level): int((a.codes == i).sum()) for a in moved.attributes for i, level in enumerate(a.levels)}
    return tuple(
        Part(f"{name}: {level}", _bounds(mean, low, high, sizes[name, level]))
        for name, level, mean, low, high in regression.level_means()
    )


def _typical(means: ConceptMeans) -> Estimate:
    mean, spread = means.of(np.arange(len(means.mean)))
    half = student_quantile(LEVEL, means.freedom) * spread
    return _bounds(mean, mean - half, mean + half, len(means.mean))


def _bounds(mean: float, low: float, high: float, n: int) -> Estimate:
    """Return a drift from its logarithm, without what was added to it."""
    value, low, high = (max(0.0, float(np.exp(min(end, 100.0))) - NOISE) for end in (mean, low, high))
    return Estimate(value, low, high, n, "relative")


def measure_map(plan: AuditPlan, tools: Tools, seen: Screened) -> Measurement:
    """Return what of a vocabulary is damaged."""
    return summarise_map(seen, tools.told, tools.claimed)


METRIC = Metric(
    name="map",
    order=70,
    title="Damage map",
    question="What exactly did it damage?",
    reading="Thousands of concepts are asked a few times each. Damage is how far the predictions of a concept moved "
    "beyond what goes with all others, or towards those of its neighbours, whichever is more: 100 % is as far as they "
    "are from those of another concept. The share counts single concepts beyond the limit; at most about one in twenty "
    "of those is a false alarm. The concept that the LoRA was trained on does not count.",
    needs=(Screened,),
    measure=measure_map,
    quantities={
        # Half the way to another prompt is where its answer changes; see screening/ways.py and docs/metrics.md.
        "worst_damage": Quantity("Worst damage", "worst damage", limit=LIMIT, names="worst"),
        # Alarms: that what all predictions moved by is little is for denoiser_drift to show.
        "typical_way": Quantity(
            "Damage of all", "damage of all concepts together", limit=WHOLE, test="alarm", is_level=True
        ),
        "confusion": Quantity(
            "Confusion", "share of what tells concepts apart that is gone", limit=CONFUSED, test="alarm", is_level=True
        ),
        # With two rows a concept nobody knows of those near the limit, so it can be shown to be high and not to be low.
        "damaged_share": Quantity(
            "Damaged concepts", "share of damaged concepts", limit=SHARE, test="alarm", is_level=True
        ),
        "typical_drift": Quantity("Drift of a concept", "typical drift of a concept"),
    },
    breakdowns={
        "thing": Breakdown(
            "What is damaged, in few words",
            "The fewest things that explain what lies beyond the limit: everything, all of one attribute or of two, or "
            "single concepts; what explains most comes first. 100 % is as far as another concept. The intervals hold "
            "for all that could be named.",
            in_terminal="Damaged",
            in_order=True,
            column="Way",
            worse="damaged",
        ),
        "concept": Breakdown(
            "The map",
            "Every concept is a cell, beside those that the base reads alike. The way is how far its prediction moved "
            "towards that of another concept; single cells have few rows and are blurred by chance.",
            grid="map_width",
            worse="",
        ),
        "damaged": Breakdown(
            "Damaged concepts",
            "How far the concepts beyond the limit went, worst first. The intervals are widened because the worst were "
            "chosen.",
            worst_first=True,
            worse="damaged",
            in_terminal="Damaged concepts",
            column="Way",
        ),
        "attribute": Breakdown(
            "What attributes do",
            "Drift that concepts with an attribute would have on average if all had it in this way and differed in the "
            "others as they do. The intervals hold together.",
            worst_first=True,
            worse="",
        ),
        "suspected": Breakdown(
            "Moved most, but not shown to be damaged",
            "Drawn towards what their attributes predict, as far as their own rows are few; the intervals cover on "
            "average over all concepts.",
            worst_first=True,
            worse="",
            in_terminal="Moved most of the others",
            column="Way",
        ),
        "own": Breakdown(
            "Its own concept",
            "What the LoRA was trained to change is to move, and counts for nothing above.",
            worst_first=True,
            worse="",
        ),
    },
)
