"""Two reports of one base that were asked alike: how their numbers differ, and which change is the milder. No torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics.measurement import Estimate
from ..metrics.statistics import simultaneous_level, spread_estimate
from .report import ImagePair, Report
from .size import goes_either_way, size

Key = tuple[str, str]
"""Metric and estimate."""
_NAMED = 4
"""Settings that a refusal names: more would hide what it says."""


@dataclass(frozen=True)
class Compared:
    """One number of two reports."""

    key: Key
    difference: Estimate | None
    """The first minus the second, from prompt to prompt; None where the reports do not have it of each prompt. The
    intervals of all differences of a comparison hold together with 95 %."""
    milder: int | None
    """Place of the report whose change is clearly the smaller, 0 or 1; None where none is, or there is no limit."""


@dataclass(frozen=True)
class Comparison:
    """Two reports beside each other."""

    numbers: tuple[Compared, ...]
    """In the order in which they were asked for."""

    def milder_in(self, place: int) -> tuple[Key, ...]:
        """Return the numbers in which the change of the report at a place is clearly the smaller."""
        return tuple(each.key for each in self.numbers if each.milder == place)

    @property
    def milder(self) -> int | None:
        """Return whose change is clearly the smaller in some number and in none the larger; None where nobody's is."""
        first, second = (bool(self.milder_in(place)) for place in (0, 1))
        return None if first == second else int(second)


def incomparable(reports: Sequence[Report], names: Sequence[str]) -> str:
    """Return why reports cannot be compared: one has no numbers, or another base or plan; "" where they can."""
    for report, name in zip(reports, names, strict=True):
        if not report.measurements:
            return f"{name} has no numbers to compare. {' '.join(report.verdict.reasons[:1])}".rstrip()
    first = reports[0]
    for report, name in zip(reports[1:], names[1:], strict=True):
        both = f"{names[0]} and {name}"
        if report.base.digest != first.base.digest:
            bases = f"{first.base.name} and {report.base.name}"
            which = bases if first.base.name != report.base.name else f"two called {first.base.name}"
            return f"{both} were audited on different bases, {which}: audit both on the same one."
        if report.plan_digest != first.plan_digest:
            asked = ", ".join(_unlike(first.plan, report.plan)) or "in another way"
            return f"{both} were asked differently ({asked}): audit both with the same settings."
    return ""


def _unlike(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return the first few settings in which two plans differ."""
    return [name for name in dict.fromkeys((*first, *second)) if first.get(name) != second.get(name)][:_NAMED]


def compare(reports: Sequence[Report], keys: Sequence[Key]) -> Comparison:
    """Return how two reports that can be compared differ in the numbers that are named."""
    prompts = {key: _prompts(reports, key) for key in keys}
    level = simultaneous_level(sum(found is not None for found in prompts.values()))
    return Comparison(tuple(_compared(reports, key, prompts[key], level) for key in keys))


def _compared(reports: Sequence[Report], key: Key, prompts: np.ndarray | None, level: float) -> Compared:
    a, b = (_estimate(report, key) for report in reports)
    if a is None or b is None:
        return Compared(key, None, None)
    difference = None if prompts is None else _difference(a, b, prompts, level)
    has_limit = any((j.metric, j.estimate) == key for report in reports for j in report.verdict.judgements)
    return Compared(key, difference, _milder(key[1], a, b, difference) if has_limit else None)


def _estimate(report: Report, key: Key) -> Estimate | None:
    measurement = report.measurements.get(key[0])
    return measurement.estimates.get(key[1]) if measurement else None


def _prompts(reports: Sequence[Report], key: Key) -> np.ndarray | None:
    """Return the difference of a number from prompt to prompt (P,); None where the reports do not share the prompts."""
    seen = [report.measurements[key[0]] for report in reports if key[0] in report.measurements]
    if len(seen) < 2 or seen[0].version != seen[1].version:
        return None
    a, b = (found.prompts.get(key[1], ()) for found in seen)
    if len(a) != len(b) or len(a) < 2:
        return None
    difference = np.subtract(a, b)
    return difference if np.isfinite(difference).all() else None


def _difference(a: Estimate, b: Estimate, prompts: np.ndarray, level: float) -> Estimate:
    """Return a - b with Student's t interval of the prompts' own differences.

    Most numbers are the mean over prompts. Denoiser drift is a ratio of sums over them: its weights, the squared norms
    of the base's predictions, differ far less from prompt to prompt than changes do, so that the mean's spread is its.
    """
    spread = float(prompts.std(ddof=1)) / math.sqrt(len(prompts))
    return spread_estimate(a.value - b.value, spread, len(prompts), a.unit, level)


def _milder(name: str, a: Estimate, b: Estimate, difference: Estimate | None) -> int | None:
    """Return the place of the smaller change: by the paired difference, or where neither interval reaches the other.

    A change that goes either way has no paired difference of sizes.
    """
    if difference is not None and not goes_either_way(name):
        low, high = difference.low, difference.high
    else:
        seen = [size(each, name) for each in (a, b)]
        low, high = seen[0].low - seen[1].high, seen[0].high - seen[1].low
    if low > 0:
        return 1
    return 0 if high < 0 else None


def common_pairs(reports: Sequence[Report]) -> list[list[ImagePair | None]]:
    """Return the pictures of one base, plan, prompt and seed that at least two reports show, a list for each report.

    Those of most reports first, then the most changed; None where a report does not show them. Of one report, all.
    """
    shown = [{_pair_key(report, pair): pair for pair in report.pairs} for report in reports]
    rows = {key: [pairs.get(key) for pairs in shown] for found in shown for key in found}
    several = [row for row in rows.values() if sum(pair is not None for pair in row) >= min(2, len(reports))]
    several.sort(key=lambda row: (-sum(pair is not None for pair in row), -max(pair.change for pair in row if pair)))
    return several


def _pair_key(report: Report, pair: ImagePair) -> tuple[str, str, str, int]:
    """Return what must agree for two pictures to be comparable."""
    return report.base.digest, report.plan_digest, pair.prompt, pair.seed
