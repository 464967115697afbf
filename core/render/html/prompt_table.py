"""Every prompt of the plan with what each metric says of it alone, as a table that can be sorted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ...verdict.report import Report
from .. import words

MOST = 2000
"""Prompts that are shown: more would make the page slow to open, and they stand in the JSON."""


@dataclass(frozen=True)
class Cell:
    """One number of one prompt."""

    text: str
    """As it is read, without its unit."""
    order: str
    """What it is sorted by; "" where there is none."""


@dataclass(frozen=True)
class Line:
    """One prompt."""

    prompt: str
    """What was asked."""
    group: str
    """Its group."""
    cells: list[Cell]
    """One number for each heading."""


@dataclass(frozen=True)
class PromptTable:
    """All prompts that have a number."""

    headings: list[tuple[str, str]]
    """Title and unit of each number."""
    lines: list[Line]
    """In the order of the plan."""


def prompt_table(report: Report) -> PromptTable | None:
    """Return the prompts' numbers; None where no metric has any, as in reports of earlier releases."""
    columns = [
        (name, measurement.estimates[name].unit, values)
        for metric in sorted(report.measurements, key=words.metric_order)
        for measurement in (report.measurements[metric],)
        for name, values in measurement.prompts.items()
        if name in measurement.estimates and values
    ]
    prompts = report.plan.get("prompts")
    if not columns or not isinstance(prompts, list):
        return None
    count = min(len(prompts), MOST, *(len(values) for _, _, values in columns))
    decimals = [words.decimals_of(values[:count], unit) for _, unit, values in columns]
    lines = []
    for place, prompt in enumerate(prompts[:count]):
        cells = [_cell(v[place], unit, d) for (_, unit, v), d in zip(columns, decimals, strict=True)]
        lines.append(Line(_said(prompt, "text"), _said(prompt, "group"), cells))
    headings = [(words.estimate_title(name), words.unit_word(unit, name)) for name, unit, _ in columns]
    return PromptTable(headings, lines) if lines else None


def _said(prompt: object, key: str) -> str:
    return str(prompt.get(key, "")) if isinstance(prompt, Mapping) else ""


def _cell(value: float, unit: str, decimals: int) -> Cell:
    order = f"{value:.9g}" if math.isfinite(value) else ""
    return Cell(words.number(value, unit, decimals=decimals), order)
