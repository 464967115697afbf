"""Rows of an experiment's table: means over runs with intervals, as text. No torch."""

from collections.abc import Iterable, Sequence

import numpy as np

from ...metrics.measurement import Estimate
from ...metrics.statistics import mean_estimate
from ..jobs.job import Result

FEW = 4
"""Runs below which an interval says nothing: of three, the t quantile alone is above four."""
SHARE = 100.0
"""Factor of shares that are shown as points or percent."""


def rows_of(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Return the results of each row, rows and results in their order."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.row, []).append(result)
    return found


def values(results: Iterable[Result], name: str, factor: float = 1.0) -> list[float]:
    """Return a number of every result that has it."""
    return [factor * value for result in results if (value := result.value(name)) is not None]


def mean_of(results: Iterable[Result], name: str, factor: float = 1.0) -> Estimate | None:
    """Return the mean of a number over runs, each a concept and a seed; None where no run has it."""
    found = values(results, name, factor)
    return mean_estimate(np.array(found)) if found else None


def floor_of(results: Iterable[Result], name: str, factor: float = 1.0) -> float | None:
    """Return the mean of a number's floor over runs: what base against base reads; None where no run has one."""
    floors = [result.numbers[name].floor for result in results if name in result.numbers]
    known = [factor * floor for floor in floors if floor is not None]
    return float(np.mean(known)) if known else None


def cell(estimate: Estimate | None, digits: int) -> str:
    """Return a mean with half its 95 % interval, where there are runs enough for one."""
    if estimate is None:
        return "-"
    if estimate.n < FEW:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} ± {estimate.high - estimate.value:.{digits}f}"


def mean_cell(results: Iterable[Result], name: str, factor: float, digits: int) -> str:
    """Return `cell` of `mean_of`."""
    return cell(mean_of(results, name, factor), digits)


def plain(value: float | None, digits: int) -> str:
    """Return a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def learned_cell(results: Sequence[Result]) -> str:
    """Return in how many runs the concept was learned, of those that were asked."""
    asked = [result for result in results if result.decision]
    return f"{sum(result.decision == 'LEARNED' for result in asked)} of {len(asked)}" if asked else "-"


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    escaped = (" | ".join(text.replace("|", "\\|") for text in line) for line in (heads, *lines))
    first, *rest = (f"| {line} |" for line in escaped)
    return [first, "|---" * len(heads) + "|", *rest]


def counted_runs(results: Sequence[Result]) -> str:
    """Return over which concepts and seeds an experiment ran."""
    concepts = dict.fromkeys(result.concept for result in results)
    seeds = sorted({result.seed for result in results})
    text = f"Concepts: {', '.join(concepts)}; seeds: {', '.join(map(str, seeds))}."
    few = len(concepts) * len(seeds) < FEW
    return f"{text} Too few runs for intervals: a first look." if few else f"{text} ± is half the 95 % interval."
