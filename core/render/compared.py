"""Two LoRAs beside each other in words: which is the milder, and every number. No torch."""

from collections.abc import Iterator, Sequence

from ..metrics.measurement import Estimate
from ..verdict.comparison import Comparison, Key
from ..verdict.report import Report
from . import words
from .audited import estimate_of


def told(comparison: Comparison, names: Sequence[str]) -> str:
    """Return which of two changes is the milder and in what, or that nothing shows it."""
    numbers = [_listed(comparison.milder_in(place)) for place in (0, 1)]
    if all(numbers):
        return f"Neither is the milder: {names[0]} in {numbers[0]}, {names[1]} in {numbers[1]}."
    if comparison.milder is None:
        return "No number that has a limit tells them apart."
    named = f"{names[comparison.milder]} is the milder, in {numbers[comparison.milder]}"
    has_others = len(comparison.milder_in(comparison.milder)) < len(comparison.numbers)
    return f"{named}; the other numbers do not tell them apart." if has_others else f"{named}."


def number_lines(comparison: Comparison, reports: Sequence[Report]) -> Iterator[str]:
    """Yield a line for each number: both values with their intervals, and the difference where it is known."""
    for each in comparison.numbers:
        values = " against ".join(_value(each.key, estimate_of(report, each.key)) for report in reports)
        apart = "" if each.difference is None else f", difference {words.difference(each.difference)}"
        yield f"{words.estimate_title(each.key[1])}: {values}{apart}"


def _value(key: Key, estimate: Estimate | None) -> str:
    if estimate is None:
        return "not measured"
    shown = words.quantity(estimate.value, estimate.unit, key[1])
    return f"{shown} ({words.interval(estimate.low, estimate.high, estimate.unit)})"


def _listed(keys: Sequence[Key]) -> str:
    """Return numbers by their names within a sentence."""
    names = [words.estimate_title(name) for _, name in keys]
    names = [name if name[:2].isupper() else f"{name[:1].lower()}{name[1:]}" for name in names]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
