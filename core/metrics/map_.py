"""What exactly did it damage? Thousands of concepts, a few rows each; definitions in docs/design/damage-map.md."""

import re
from collections.abc import Sequence

import numpy as np

from ..errors import InvalidError, Setting
from ..plan.audit_plan import AuditPlan
from ..plan.vocabulary import Concept
from .evidence import Screened
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .screening.attributes import Attribute, attributes_of, regress
from .screening.discovery import discoveries, selected_level, share_bounds
from .screening.naming import Thing, name_damage
from .screening.rows import ConceptMeans, concept_means
from .screening.shrinkage import shrink
from .statistics import LEVEL, simultaneous_level, student_quantile

VERSION = 1
"""Version of the definition in docs/metrics.md."""

LIMIT = 0.01
"""Drift of a concept above which it is damaged: what audits allow the average, and lenient for a geometric mean."""

RATE = 0.05
"""False discovery rate of the damaged concepts."""

CLAIMED = 0.2
"""Largest share of the concepts that a file may call its own: its text may be a lie, and nothing would be left."""

NOISE = 1e-6
"""Added to each row's drift: what half precision alone changes, so that an untouched model has a logarithm."""

LINES, SUSPECTS = 100, 20
"""Damaged concepts that are listed, and others that moved most: more is a file and no report."""


def own_concepts(concepts: Sequence[Concept], words: Sequence[str]) -> np.ndarray:
    """Return which concepts (V,) name what the LoRA was trained to change: one of the words, or the last one of some.

    "sks dog" is about dogs, as the class stands last.
    """
    nouns = {part.lower() for word in words for part in (word, word.split()[-1] if word.split() else "") if part}
    if not nouns:
        return np.zeros(len(concepts), bool)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(nouns)))})(?:e?s)?(?!\w)", re.IGNORECASE)
    return np.array([pattern.search(concept.label) is not None for concept in concepts])


def summarise_map(seen: Screened, told: Sequence[str] = (), claimed: Sequence[str] = ()) -> Measurement:
    """Return which concepts are damaged and how many, the one thing that they are, and what attributes do.

    Concepts that name what the user says that the LoRA is for, or what the file itself says, are shown apart and count
    for nothing else.
    """
    own = own_concepts(seen.concepts, told)
    with_claimed = own | own_concepts(seen.concepts, claimed)
    believed = with_claimed.mean() <= CLAIMED
    own = with_claimed if believed else own
    if own.all():
        raise InvalidError(
            "Everything that is asked is the LoRA's own concept, so nothing shows what else it changed.",
            Setting("words"),
            Setting("concept"),
        )
    every = concept_means(np.log(seen.change / seen.norm + NOISE), seen.cells)
    means, concepts = every.only(~own), [c for c, is_own in zip(seen.concepts, own, strict=True) if not is_own]
    limit, attributes = float(np.log(LIMIT)), attributes_of(concepts)
    p = means.above(limit)
    found = discoveries(p, RATE)
    things = name_damage(means, attributes, limit)
    named = [_name(thing, concepts) for thing in things]
    return Measurement(
        "map",
        VERSION,
        headline="typical_drift",
        estimates={
            "typical_drift": _drift(*means.of(np.arange(len(concepts))), LEVEL, means.freedom, len(concepts)),
            "damaged_share": _share(found, p),
            "worst_concept": _worst(means),
        },
        breakdowns={
            "thing": tuple(
                Part(name, _bounds(t.mean, t.low, t.high, len(t.members)))
                for name, t in zip(named, things, strict=True)
            ),
            "damaged": _damaged(means, concepts, found),
            "attribute": _levels(means, attributes),
            "suspected": _suspected(means, concepts, attributes, found),
            "own": _own(every.only(own), [c for c, is_own in zip(seen.concepts, own, strict=True) if is_own]),
        },
        facts={
            "concepts": len(concepts),
            "rows": int(seen.change.shape[1]),
            "limit": LIMIT,
            "false_discovery_rate": RATE,
            "found": int(found.sum()),
            "damaged": named[0] if named else "",
            "worst_concept": concepts[int(np.argmax(means.mean))].label,
            "own_concepts": int(own.sum()),
            "trigger_words": "believed" if believed else "not believed: they would be too much of what is asked",
        },
    )


def _share(found: np.ndarray, p: np.ndarray) -> Estimate:
    """Return the share of concepts that were found; its interval is that of closed testing, and holds the value."""
    low, high = share_bounds(p, 1 - LEVEL)
    value = float(found.mean())
    return Estimate(value, min(low, value), max(high, value), len(p), "share")


def _worst(means: ConceptMeans) -> Estimate:
    """Return the largest drift; the intervals of all concepts hold together, so it is no matter which is the worst."""
    worst = int(np.argmax(means.mean))
    level = simultaneous_level(len(means.mean))
    return _drift(float(means.mean[worst]), float(means.spread[worst]), level, means.freedom, len(means.mean))


def _damaged(means: ConceptMeans, concepts: Sequence[Concept], found: np.ndarray) -> tuple[Part, ...]:
    level = selected_level(int(found.sum()), len(found), LEVEL)
    order = [i for i in np.argsort(-means.mean, kind="stable") if found[i]][:LINES]
    return _parts(means.only(np.array(order, int)), [concepts[i] for i in order], level)


def _own(means: ConceptMeans, concepts: Sequence[Concept]) -> tuple[Part, ...]:
    order = np.argsort(-means.mean, kind="stable")[:SUSPECTS]
    level = simultaneous_level(len(concepts))
    return _parts(means.only(order), [concepts[i] for i in order], level)


def _suspected(
    means: ConceptMeans, concepts: Sequence[Concept], attributes: Sequence[Attribute], found: np.ndarray
) -> tuple[Part, ...]:
    regression = regress(means.mean, means.spread, attributes)
    if regression is None:
        return ()
    shrunk = shrink(means.mean, means.spread, regression)
    order = [i for i in np.argsort(-shrunk.value, kind="stable") if not found[i]][:SUSPECTS]
    return tuple(
        Part(concepts[i].label, _bounds(float(shrunk.value[i]), float(shrunk.low[i]), float(shrunk.high[i]), 1))
        for i in order
    )


def _levels(means: ConceptMeans, attributes: Sequence[Attribute]) -> tuple[Part, ...]:
    regression = regress(means.mean, means.spread, attributes) if attributes else None
    if regression is None:
        return ()
    sizes = {(a.name, level): int((a.codes == i).sum()) for a in attributes for i, level in enumerate(a.levels)}
    return tuple(
        Part(f"{name}: {level}", _bounds(mean, low, high, sizes[name, level]))
        for name, level, mean, low, high in regression.level_means()
    )


def _parts(means: ConceptMeans, concepts: Sequence[Concept], level: float) -> tuple[Part, ...]:
    return tuple(
        Part(concept.label, _drift(float(mean), float(spread), level, means.freedom, 1))
        for concept, mean, spread in zip(concepts, means.mean, means.spread, strict=True)
    )


def _drift(mean: float, spread: float, level: float, freedom: int, n: int) -> Estimate:
    half = student_quantile(level, freedom) * spread
    return _bounds(mean, mean - half, mean + half, n)


def _bounds(mean: float, low: float, high: float, n: int) -> Estimate:
    """Return a drift from its logarithm, without what was added to it."""
    value, low, high = (max(0.0, float(np.exp(min(end, 100.0))) - NOISE) for end in (mean, low, high))
    return Estimate(value, low, high, n, "relative")


def _name(thing: Thing, concepts: Sequence[Concept]) -> str:
    if thing.levels:
        return f"{' & '.join(level for _, level in thing.levels)} ({len(thing.members)} concepts)"
    return concepts[thing.members[0]].label if len(thing.members) == 1 else "everything"


def measure_map(plan: AuditPlan, tools: Tools, seen: Screened) -> Measurement:
    """Return what of a vocabulary is damaged."""
    return summarise_map(seen, tools.told, tools.claimed)


METRIC = Metric(
    name="map",
    order=70,
    title="Damage map",
    question="What exactly did it damage?",
    reading="Of thousands of concepts, each asked a few times, the share whose prediction moved beyond the limit; at "
    "most about one in twenty of those is a false alarm. The interval is what is certain of the number of all "
    "damaged ones. The concept that the LoRA was trained on does not count.",
    needs=(Screened,),
    measure=measure_map,
    # No limits: no experiment with planted damage has shown yet which of them would tell harm from harmlessness.
    quantities={
        "typical_drift": Quantity("Drift of a concept", "typical drift of a concept"),
        "damaged_share": Quantity("Damaged concepts", "share of damaged concepts", is_level=True),
        "worst_concept": Quantity("Drift of the worst concept", "drift of the worst concept"),
    },
    breakdowns={
        "thing": Breakdown(
            "What is damaged, in few words",
            "The fewest things that explain what lies beyond the limit: everything, all of one attribute or of two, or "
            "single concepts; what explains most comes first. The intervals hold for all that could be named.",
            in_terminal="Damaged",
            reference="typical",
            column="Drift",
        ),
        "damaged": Breakdown(
            "Damaged concepts",
            "Drift of the concepts beyond the limit, worst first. The intervals are widened because the worst were "
            "chosen.",
            worst_first=True,
            reference="typical",
        ),
        "attribute": Breakdown(
            "What attributes do",
            "Drift that concepts with an attribute would have on average if all had it in this way and differed in the "
            "others as they do. The intervals hold together.",
            worst_first=True,
            reference="typical",
        ),
        "suspected": Breakdown(
            "Moved most, but not shown to be damaged",
            "Drawn towards what their attributes predict, as far as their own rows are few; the intervals cover on "
            "average over all concepts.",
            worst_first=True,
            reference="typical",
            in_terminal="Moved most of the others",
            column="Drift",
        ),
        "own": Breakdown(
            "Its own concept",
            "What the LoRA was trained to change is to move, and counts for nothing above.",
            worst_first=True,
            reference="typical",
        ),
    },
)
