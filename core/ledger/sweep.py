"""One LoRA at several strengths: its numbers as curves, and the largest strength that passes. No torch.

Between two strengths that were asked, a number and the ends of its interval are taken to lie on straight lines.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from ..text import inert
from ..verdict.reasons import title
from ..verdict.size import size
from ..verdict.verdict import DRIFT, NO_ALARM, PASS
from .row import Number, Row, applied

Key = tuple[str, str]
"""Metric and estimate."""


@dataclass(frozen=True)
class Curve:
    """One judged number against the strength."""

    key: Key
    strengths: tuple[float, ...]
    """Those at which it was measured, from the weakest on."""
    numbers: tuple[Number, ...]
    """As its limit sees them: a change that may go either way by how far it went."""
    known: float
    """Up to here it was measured, as a size; infinity where it was at every strength."""

    @property
    def is_alarm(self) -> bool:
        """Whether its limit can only be broken, and never shown to hold."""
        return any(number.decision == NO_ALARM for number in self.numbers)

    def reaches(self, end: str) -> float:
        """Return at which strength the value, or an end of its interval, exceeds the limit first.

        0 where it does at the weakest, infinity where it never does.
        """
        strengths = [abs(strength) for strength in self.strengths]
        points = [(s, getattr(n, end), n.limit) for s, n in zip(strengths, self.numbers, strict=True)]
        for i, (strength, value, limit) in enumerate(points):
            if limit is not None and value > limit:
                return _crossing(points[i - 1][:2], (strength, value), limit) if i else 0.0
        return math.inf


def _crossing(below: tuple[float, float], above: tuple[float, float], limit: float) -> float:
    """Return where the line between two points meets the limit; an open end is on its own strength's side."""
    (s0, v0), (s1, v1) = below, above
    if math.isinf(v0):
        return s1
    return s0 if math.isinf(v1) else s0 + (s1 - s0) * (limit - v0) / (v1 - v0)


@dataclass(frozen=True)
class Threshold:
    """The largest strength that stays within the limits, and how sure that is. 0 is below the weakest that was asked.

    An interval's end meets the limit where a test at that strength would just decide. So all strengths between `passes`
    and `drifts` may be the one at which the true number reaches its limit, at the confidence of the intervals.
    """

    at: float
    """Where the first number reaches its limit; infinity if none does up to the strongest."""
    passes: float
    """Up to here the verdict is PASS."""
    drifts: float
    """From here on it is DRIFT."""
    by: Key | None
    """The number that reaches its limit first."""


@dataclass(frozen=True)
class Sweep:
    """A LoRA at several strengths, all under one question."""

    rows: tuple[Row, ...]
    """From the weakest on."""

    @property
    def title(self) -> str:
        """Its name, and what was applied besides."""
        return inert(self.rows[0].name, 80) + applied(1.0, self.rows[0].stack)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Every judged number, as far as it was measured without a gap, of the direction that 1 has if it was asked."""
        way = {strength for strength, _ in _one_way((row.strength, row.verdict) for row in self.rows)}
        rows = [row for row in self.rows if row.strength in way]
        keys = dict.fromkeys((n.metric, n.name) for row in rows for n in row.numbers if n.limit is not None)
        return tuple(filter(lambda curve: curve.numbers, (_curve(key, rows) for key in keys)))

    @property
    def threshold(self) -> Threshold | None:
        """Where it leaves its limits; None where nothing is judged that could pass."""
        curves = self.curves
        tests = [curve for curve in curves if not curve.is_alarm]
        if not tests:
            return None
        # A limit that can only be broken keeps from passing where it is.
        firing = {curve.key: curve.reaches("low") for curve in curves if curve.is_alarm}
        values = {curve.key: curve.reaches("value") for curve in tests} | firing
        at, by = min((strength, key) for key, strength in values.items())
        passes = min(*(min(curve.reaches("high"), curve.known) for curve in tests), *firing.values(), math.inf)
        drifts = min(*(curve.reaches("low") for curve in tests), *firing.values(), math.inf)
        return Threshold(at, passes, drifts, by if at < math.inf else None)

    def sentence(self) -> str:
        """Return what the verdicts say, and where between them the limit lies."""
        said = f"{self.title}: {largest_passing((row.strength, row.verdict) for row in self.rows)}"
        found = self.threshold
        if found is None or found.by is None or found.at == 0:
            return said
        number = inert(title(*found.by), 60)  # of a ledger that may be anybody's
        return f"{said} By straight lines between them the {number} reaches its limit at {self.shown()}."

    def shown(self) -> str:
        """Return the largest strength that passes with its uncertainty, such as "0.62 (0.5 to 0.71)"; "" for none."""
        found, curves = self.threshold, self.curves
        if found is None:
            return ""
        first, last = curves[0].strengths[0], max((curve.strengths[-1] for curve in curves), key=abs)
        sign = -1 if last < 0 else 1
        at = f"{sign * found.at:.2g}"
        if found.at == 0:
            at = f"below {first:g}"
        elif math.isinf(found.at):
            at = f"beyond {last:g}"
        low = f"{last:g}" if math.isinf(found.passes) else _two_digits(sign * found.passes, ROUND_DOWN)
        high = "open" if math.isinf(found.drifts) else _two_digits(sign * (found.drifts or abs(first)), ROUND_UP)
        return f"{at} ({low} to {high})"


def _two_digits(strength: float, rounding: str) -> str:
    """Return a strength with two digits: rounded down it is still PASS, and rounded up still DRIFT."""
    exact = Decimal(f"{strength:.9g}")  # the line's 0.29999999999999998 is 0.3
    return f"{float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1), rounding)):g}"


def sweeps(rows: Iterable[Row]) -> list[Sweep]:
    """Return every LoRA that rows have at several strengths, sorted by name; pictures are left out."""
    found: dict[tuple[str, str, str, str], dict[float, Row]] = {}
    for row in rows:  # of several ledgers, the last counts
        found.setdefault((row.name, row.sha256, row.ask, row.stack), {})[row.strength] = replace(row, thumbnail=b"")
    several = [sorted(group.values(), key=lambda row: abs(row.strength)) for group in found.values() if len(group) > 1]
    return [Sweep(tuple(group)) for group in sorted(several, key=lambda group: (group[0].name, group[0].stack))]


def _curve(key: Key, rows: Sequence[Row]) -> Curve:
    """Return a number at the strengths up to the first at which it is missing: beyond that nothing is known of it."""
    measured: list[tuple[float, Number]] = []
    for row in rows:
        number = next((n for n in row.numbers if (n.metric, n.name) == key), None)
        if number is None or number.limit is None or math.isnan(number.value):
            break
        measured.append((row.strength, size(number, number.name)))
    known = math.inf if len(measured) == len(rows) else abs(measured[-1][0]) if measured else 0.0
    return Curve(key, tuple(strength for strength, _ in measured), tuple(number for _, number in measured), known)


def _one_way(verdicts: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return the verdicts of one direction, the weakest strength first: that of 1 if it was asked.

    A LoRA that is turned round is another change, and says nothing of how far this one may go.
    """
    ordered = sorted(verdicts, key=lambda verdict: abs(verdict[0]))
    forward = any(strength > 0 for strength, _ in ordered)
    return [verdict for verdict in ordered if verdict[0] >= 0 or not forward]


def passing(verdicts: Iterable[tuple[float, str]]) -> list[float]:
    """Return the strengths at which a LoRA passes, the weakest first, up to the first at which it does not."""
    found = []
    for strength, decision in _one_way(verdicts):
        if decision != PASS:
            break
        found.append(strength)
    return found


def largest_passing(verdicts: Iterable[tuple[float, str]]) -> str:
    """Return in words up to which strength a LoRA passes, and from which on it drifts.

    A strength counts as passing if every smaller one that was asked passes too, and as drifting if it is DRIFT. What
    lies between the largest of the first and the smallest of the second is what these strengths leave open.
    """
    verdicts = list(verdicts)
    ordered = _one_way(verdicts)
    what = "strength" if len(ordered) == len(verdicts) else "positive strength"
    passes = passing(ordered)
    after = ordered[len(passes) :]
    drifting = next((strength for strength, decision in after if decision == DRIFT), None)
    if not after:
        return f"passes at every {what} that was asked, up to {ordered[-1][0]:g}."
    last = passes[-1] if passes else None
    said = f"passes at none of these {what}s" if last is None else f"passes up to {last:g}"
    if drifting is None:
        return f"{said}, and whether it drifts at {after[0][0]:g} is not decided."
    if last is None:
        return f"{said}, and drifts at {drifting:g}."
    return f"{said}, and drifts at {drifting:g}: the largest strength that passes lies between."
