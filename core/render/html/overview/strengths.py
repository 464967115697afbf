"""One self-contained page over the LoRAs that were audited at several strengths: each judged number as a curve."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from ....disk.files import write_text
from ....ledger.row import Row
from ....ledger.sweep import Curve, Sweep, sweeps
from ....verdict.verdict import PASS
from ... import words
from ..number import STATES
from ..page import render_page

NAME = "strengths.html"
"""File name in a run's folder."""
_MOST = 500
"""LoRAs that are drawn; results.csv has the numbers of all. A page of more takes seconds to open."""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 300, 170, 46, 22
"""Of a chart in pixels, and the margins for its labels."""


@dataclass(frozen=True)
class Drawn:
    """One number of a LoRA."""

    title: str
    chart: Markup


@dataclass(frozen=True)
class Shown:
    """One LoRA."""

    title: str
    sentence: str
    state: str
    charts: list[Drawn]


@dataclass(frozen=True)
class Strengths:
    """Everything on the page."""

    title: str
    loras: list[Shown]
    left_out: int


def write_strengths(rows: Callable[[], Iterable[Row]], out: Path) -> Path | None:
    """Return the path of the page written into the run's folder; None where no LoRA has several strengths."""
    found = sweeps(rows())
    if not found:
        return None
    write_text(out / NAME, render_strengths(found))
    return out / NAME


def render_strengths(found: Sequence[Sweep]) -> str:
    """Return the page."""
    view = Strengths(
        title=f"{len(found):,} {'LoRA' if len(found) == 1 else 'LoRAs'} at several strengths",
        loras=[_shown(sweep) for sweep in found[:_MOST]],
        left_out=max(0, len(found) - _MOST),
    )
    return render_page("strengths.html.j2", view, ("report.css", "overview.css", "strengths.css"))


def _shown(sweep: Sweep) -> Shown:
    nearest = min(sweep.rows, key=lambda row: abs(row.strength - 1))
    charts = [Drawn(words.estimate_title(curve.key[1]), curve_chart(curve, sweep)) for curve in sweep.curves]
    said = sweep.sentence().removeprefix(f"{sweep.title}: ")
    return Shown(sweep.title, said[:1].upper() + said[1:], STATES.get(nearest.verdict, STATES[PASS]), charts)


def curve_chart(curve: Curve, sweep: Sweep) -> Markup:
    """Return a number against the strength: its interval as a band, its limit as a line, and where they meet."""
    strengths, numbers = curve.strengths, curve.numbers
    limit = numbers[0].limit or 0.0
    ends = [v for n in numbers for v in (n.value, n.low, n.high) if math.isfinite(v)]
    x = _axis(min(0.0, *strengths), max(0.0, *strengths), _LEFT, _WIDTH - 8)
    y = _axis(min(0.0, *ends), max(limit, *ends), _HEIGHT - _BOTTOM, 12)
    at = [x(s) for s in strengths]
    top, bottom = ([y(getattr(n, end)) for n in numbers] for end in ("high", "low"))
    unit = numbers[0].unit
    parts = [
        _threshold(sweep, curve, x),
        _path("band", [*zip(at, top, strict=True), *reversed(list(zip(at, bottom, strict=True)))], "Z"),
        _line(_LEFT, y(limit), _WIDTH - 8, y(limit), "limit"),
        _line(_LEFT, y(0.0), _WIDTH - 8, y(0.0), "axis"),
        _path("curve", list(zip(at, (y(n.value) for n in numbers), strict=True)), ""),
        *(_dot(px, y(n.value), STATES.get(n.decision, "none")) for px, n in zip(at, numbers, strict=True)),
        *(_text(x(s), _HEIGHT - 6, f"{s:g}", "middle") for s in (0.0, *strengths)),
        _text(_LEFT - 4, y(limit) + 4, words.number(limit, unit), "end"),
        _text(_LEFT - 4, y(0.0) + 4, "0", "end"),
    ]
    label = f"{words.estimate_title(curve.key[1])} at strengths {', '.join(f'{s:g}' for s in strengths)}"
    start = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
    return Markup(f'{start}aria-label="{escape(label)}">{"".join(parts)}</svg>')  # numbers, and escaped texts


def _axis(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return the function from a value to its place; what is beyond the ends, as open intervals are, lies on them."""
    span = high - low or 1.0
    return lambda value: round(start + (end - start) * (min(max(value, low), high) - low) / span, 1)


def _threshold(sweep: Sweep, curve: Curve, x: Callable[[float], float]) -> str:
    """Return the strengths that may be the largest to pass, where this number is the one that decides."""
    found = sweep.threshold
    if found is None or found.by != curve.key:
        return ""
    sign = -1 if curve.strengths[-1] < 0 else 1
    ends = sorted(x(sign * min(s, abs(curve.strengths[-1]))) for s in (found.passes, found.drifts))
    size = f'width="{ends[1] - ends[0]:.1f}" height="{_HEIGHT - _BOTTOM - 12}"'
    return f'<rect class="between" x="{ends[0]}" y="12" {size}/>'


def _path(kind: str, points: Sequence[tuple[float, float]], end: str) -> str:
    return f'<path class="{kind}" d="M{"L".join(f"{px} {py}" for px, py in points)}{end}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _dot(x: float, y: float, state: str) -> str:
    return f'<circle class="{state}" cx="{x}" cy="{y}" r="4"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
