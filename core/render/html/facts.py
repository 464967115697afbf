"""Base, LoRA and run of a report as rows of facts."""

import math
from collections.abc import Mapping
from typing import Any

from ...verdict.report import Report
from ...verdict.verdict import Judgement
from .. import words


def audited_rows(report: Report) -> list[tuple[str, str]]:
    """Return what base and LoRA are."""
    adapter = report.adapter
    modules = f"{adapter.matched:,} matched"
    modules += f", {adapter.unmatched:,} unmatched" if adapter.unmatched else ""
    rows = [
        ("LoRA", adapter.name),
        ("Strength", f"{adapter.strength:g}"),
        ("Algorithm", f"{adapter.algorithm}, {adapter.format} format"),
        ("Made for", adapter.family),
        ("Modules changed", modules),
        ("Size of the change", f"{words.number(adapter.delta_norm, 'relative')} % of the weights it changes"),
    ]
    rows += [(words.humanise(key), value) for key, value in adapter.details.items()]
    rows.append(("SHA-256", _short(adapter.sha256)))
    base = [
        ("Base", report.base.name),
        ("Base family", report.base.family),
        ("Base digest", _short(report.base.digest)),
    ]
    if side := words.asked_at(report):
        base.append(("Asked", f"{side.removeprefix(', asked ')}, not at the side that it was made for"))
    return [*base, *rows]


def _short(digest: str) -> str:
    return digest if len(digest) <= 16 else digest[:12] + "…"


def run_sections(report: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what was asked, of what and for how long: titled sections, each with its rows."""
    digests = {"Plan digest": report.plan_digest, "Base digest": report.base.digest}
    digests["LoRA SHA-256"] = report.adapter.sha256
    sections = [
        ("Plan", _flatten(report.plan)),
        ("Policy", _policy(report)),
        ("Environment", _flatten(report.environment)),
        ("Time", [_timing(key, value) for key, value in report.timing.items()]),
        ("Cost in rows of the denoiser", _flatten(report.cost)),
        ("Digests", _flatten(digests)),
    ]
    return [(title, rows) for title, rows in sections if rows]


def _policy(report: Report) -> list[tuple[str, str]]:
    rows = [("Name", report.verdict.policy)]
    for judgement in report.verdict.judgements:
        unit = _unit(report, judgement)
        limit = words.limit(judgement, unit)
        rows.append((words.estimate_title(judgement.estimate), f"{limit} ({judgement.test})"))
    return rows


def _unit(report: Report, judgement: Judgement) -> str:
    measurement = report.measurements.get(judgement.metric)
    estimate = measurement.estimates.get(judgement.estimate) if measurement else None
    return estimate.unit if estimate else ""


def _timing(key: str, value: float | str) -> tuple[str, str]:
    title = "Duration" if key == "seconds" else words.humanise(key)
    spans = isinstance(value, (int, float)) and math.isfinite(value)
    return title, words.duration(float(value)) if spans else words.fact(value)


def _flatten(data: Mapping[str, Any], prefix: str = "", depth: int = 0) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and depth < 4:
            rows += _flatten(value, f"{path}.", depth + 1)
        elif isinstance(value, (list, tuple)):
            rows.append((path, "; ".join(words.fact(v) for v in value[:50]) or words.MISSING))
        else:
            rows.append((path, words.fact(value)))
    return rows
