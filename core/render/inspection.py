"""What is in a LoRA file, as lines of text, as plain data and as a heat map, for every face of the project."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..adapter.blocks import KINDS
from ..adapter.naming.stated.metadata import Training
from ..adapter.naming.stated.stated_base import base_digits, stated_base
from ..adapter.summary import Cell, Summary
from .heat_map import Entry, HeatMap, heat_map


def summary_lines(summary: Summary) -> list[tuple[str, str]]:
    """Return (label, value) of everything that is known of a file; values may be empty."""
    training = Training(**summary.training)
    stated = stated_base(training)
    parts = ", ".join(f"{name} {count}" for name, count in summary.modules.items())
    size = f"{summary.resolution[0]} x {summary.resolution[1]} px" if summary.resolution else ""
    hashes = ", ".join(f"{name} {value}" for name, value in summary.hashes.items() if value)
    return [
        ("format", summary.format),
        ("algorithm", ", ".join(summary.algorithms)),
        ("family", summary.family or "unknown"),
        ("prediction", summary.prediction_type or ""),
        ("modules", parts),
        ("coverage", summary.coverage),
        ("rank / alpha", f"{_range(summary.ranks)} / {_range(summary.alphas)}"),
        ("weights", ", ".join(summary.dtypes)),
        ("trigger words", ", ".join(summary.trigger_words)),
        ("resolution", size),
        ("trained on", stated.name),
        ("its hashes", base_digits(stated)),
        ("its family", ", ".join(filter(None, (training.base_version, training.architecture)))),
        ("steps", summary.training.get("steps", "")),
        ("sha256", summary.sha256),
        ("hashes", hashes),
    ]


def _range(values: Sequence[float]) -> str:
    if not values:
        return "none"
    if len(values) <= 4:
        return ", ".join(f"{value:g}" for value in values)
    return f"{values[0]:g} to {values[-1]:g} ({len(values)} values)"


def summary_heat_map(cells: Sequence[Cell]) -> HeatMap:
    """Return blocks of the network by kinds of layer, shaded by the estimated size of the change."""
    entries = [Entry(cell.block.component, cell.block.title, cell.kind, cell.size) for cell in cells]
    return heat_map(entries, KINDS, "{:.2g}".format)


def summary_data(summary: Summary) -> dict[str, Any]:
    """Return all of it for JSON; a size that is not known is None."""
    blocks = [
        {
            "component": cell.block.component,
            "block": cell.block.title,
            "kind": cell.kind,
            "modules": cell.modules,
            "size": cell.size if math.isfinite(cell.size) else None,
        }
        for cell in summary.blocks
    ]
    return {**asdict(summary), "blocks": blocks}
