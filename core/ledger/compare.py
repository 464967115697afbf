"""Ledgers side by side: the LoRAs on which they do not say the same. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .row import Row


@dataclass(frozen=True)
class Difference:
    """One LoRA at one strength that ledgers judge differently, or that not all of them have."""

    name: str
    applied: str
    """How it was applied; see `row.applied`."""
    verdicts: tuple[str, ...]
    """What each ledger says, in their order; "" where it has none."""
    numbers: tuple[str, ...]
    """Numbers whose limits say different things, in words."""


def compare(ledgers: Sequence[Iterable[Row]]) -> tuple[list[Difference], int]:
    """Return the differences, sorted by name, and the number of LoRAs and strengths in all.

    LoRAs are the same by content, whatever they are called. Of several rows of one in a ledger, as of two plans, the
    last counts.
    """
    found: dict[tuple[str, float, str], list[Row | None]] = {}
    count = len(ledgers)
    for place, rows in enumerate(ledgers):
        for row in rows:
            key = (row.sha256 or row.name, row.strength, row.stack)
            found.setdefault(key, [None] * count)[place] = row
    differing = [_difference(rows) for rows in found.values() if len({_verdict(row) for row in rows}) > 1]
    return sorted(differing, key=lambda each: (each.name, each.applied)), len(found)


def _difference(rows: Sequence[Row | None]) -> Difference:
    there = [row for row in rows if row is not None]
    return Difference(there[0].name, there[0].applied, tuple(map(_verdict, rows)), tuple(_numbers(there)))


def _verdict(row: Row | None) -> str:
    return "" if row is None else row.verdict


def _numbers(rows: Sequence[Row]) -> Iterable[str]:
    judged = [{(n.metric, n.name): n for n in row.numbers if n.decision} for row in rows]
    for key in judged[0]:
        numbers = [each[key] for each in judged if key in each]
        if len({n.decision for n in numbers}) > 1:
            yield f"{key[0]} {key[1]} " + " | ".join(f"{n.value:.3g} ({n.decision})" for n in numbers)
