"""Which of two LoRAs is the milder, in words. No torch."""

from collections.abc import Sequence

from ..verdict.comparison import Comparison, Key
from . import words


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


def _listed(keys: Sequence[Key]) -> str:
    """Return numbers by their names within a sentence."""
    names = [words.estimate_title(name) for _, name in keys]
    names = [name if name[:2].isupper() else f"{name[:1].lower()}{name[1:]}" for name in names]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
