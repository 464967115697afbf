"""Where a change sits: blocks of the network by kinds of layer, each with its number and a level to shade it by."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..adapter.blocks import KINDS
from ..verdict.report import BlockChange
from . import words
from .rows import first_rows

LEVELS = 4
"""Shades from the faintest change to the largest."""
NOT_FINITE = -1
"""Level of a change that is NaN or infinite."""


@dataclass(frozen=True)
class Entry:
    """The change of one kind of layer in one block."""

    component: str
    """Part of the pipeline."""
    block: str
    """Title of the block."""
    kind: str
    """Kind of layer."""
    size: float
    """Size of the change; it may be infinite or NaN."""


@dataclass(frozen=True)
class Cell:
    """One entry as it is shown."""

    text: str
    """The number, without its unit."""
    level: int
    """0 for no change, 1 to LEVELS by share of the largest, NOT_FINITE for no number."""

    @property
    def shade(self) -> str:
        """Return the CSS class of its level."""
        return "bad" if self.level == NOT_FINITE else f"heat-{self.level}"


@dataclass(frozen=True)
class Row:
    """One block of the network."""

    component: str
    """Part of the pipeline."""
    title: str
    """Title of the block."""
    cells: tuple[Cell | None, ...]
    """One for each kind of layer; None where nothing is changed."""
    weight: float
    """Its largest change, infinite where one is not finite."""


@dataclass(frozen=True)
class HeatMap:
    """Blocks by kinds of layer."""

    kinds: tuple[str, ...]
    """Kinds of layer that occur: the columns."""
    rows: tuple[Row, ...]
    """Blocks in the order of the network."""


@dataclass(frozen=True)
class Part:
    """The heat map of one component."""

    title: str
    """Name of the component for people."""
    first: HeatMap
    """The blocks that change most: what is shown before the reader asks for more."""
    whole: HeatMap
    """All its blocks, with the shades of all components together."""


def heat_map(entries: Sequence[Entry], kinds: Iterable[str], show: Callable[[float], str]) -> HeatMap:
    """Return the heat map of `entries`, which are in the order of the network; `show` writes a finite size."""
    columns = tuple(kind for kind in kinds if any(entry.kind == kind for entry in entries))
    largest = max((entry.size for entry in entries if math.isfinite(entry.size)), default=0.0)
    rows: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in entries:
        rows.setdefault((entry.component, entry.block), {})[entry.kind] = entry
    made = (_row(*block, row, columns, lambda size: _cell(size, largest, show)) for block, row in rows.items())
    return HeatMap(columns, tuple(made))


def relative_heat_map(blocks: Sequence[BlockChange]) -> HeatMap:
    """Return the heat map of a report: changes in % of the weights they change."""
    sizes = [math.nan if block.relative is None else block.relative for block in blocks]
    entries = [Entry(b.component, b.block, b.kind, size) for b, size in zip(blocks, sizes, strict=True)]
    decimals = words.decimals_of(sizes, "relative")
    kinds = dict.fromkeys((*KINDS, *(entry.kind for entry in entries)))
    return heat_map(entries, kinds, lambda size: _percent(size, decimals))


def by_component(whole: HeatMap) -> list[Part]:
    """Return the heat map of each component, with only the columns that it needs."""
    components = dict.fromkeys(row.component for row in whole.rows)
    return [_part(name, whole, [row for row in whole.rows if row.component == name]) for name in components]


def strongest(whole: HeatMap, most: int) -> HeatMap:
    """Return the rows with the largest changes, in the order of the network; what is not finite comes first."""
    kept = sorted(range(len(whole.rows)), key=lambda i: -whole.rows[i].weight)[:most]
    return HeatMap(whole.kinds, tuple(whole.rows[i] for i in sorted(kept)))


def _row(
    component: str, title: str, row: Mapping[str, Entry], columns: tuple[str, ...], make: Callable[[float], Cell]
) -> Row:
    cells = tuple(make(row[kind].size) if kind in row else None for kind in columns)
    weight = max(entry.size if math.isfinite(entry.size) else math.inf for entry in row.values())
    return Row(component, title, cells, weight)


def _cell(size: float, largest: float, show: Callable[[float], str]) -> Cell:
    if not math.isfinite(size):
        return Cell("NaN/∞", NOT_FINITE)
    level = math.ceil(LEVELS * min(size / largest, 1.0)) if largest else 0
    return Cell(show(size), level)


def _percent(size: float, decimals: int) -> str:
    text = words.number(size, "relative", decimals=decimals)
    return text if size == 0 or text.strip("0.") else f"<{10**-decimals:.{decimals}f}"


def _part(component: str, whole: HeatMap, rows: Sequence[Row]) -> Part:
    used = [i for i in range(len(whole.kinds)) if any(row.cells[i] for row in rows)]
    cut = (Row(row.component, row.title, tuple(row.cells[i] for i in used), row.weight) for row in rows)
    own = HeatMap(tuple(whole.kinds[i] for i in used), tuple(cut))
    title = "UNet" if component == "unet" else words.humanise(component)
    return Part(title, strongest(own, first_rows(len(rows))), own)
