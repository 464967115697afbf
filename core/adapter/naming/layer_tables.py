"""Layers of a base as a small table: by the shape of their weight, rows of like blocks as one name. No torch.

`{"3072x3072": ["blocks.{0-27}.attn.to_q"]}` are 28 layers of 3072 outputs and as many inputs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

Shape = tuple[int, ...]
Table = dict[str, list[str]]
"""Shape of a weight, outputs first -> names of the layers that have it."""

_ROW = re.compile(r"\{(\d+)-(\d+)\}")


def packed(layers: Mapping[str, Shape]) -> Table:
    """Return the table of layers, given by dotted name; `unpacked` reads it."""
    by_shape: dict[Shape, list[str]] = {}
    for name, shape in layers.items():
        by_shape.setdefault(shape, []).append(name)
    return {"x".join(map(str, shape)): _ranges(by_shape[shape]) for shape in sorted(by_shape)}


def unpacked(table: Table) -> Iterator[tuple[str, Shape]]:
    """Yield the layers that `packed` was given."""
    for text, names in table.items():
        shape = tuple(map(int, text.split("x")))
        yield from ((name, shape) for packed_name in names for name in _names(packed_name))


def _names(name: str) -> Iterator[str]:
    found = [_ROW.fullmatch(level) for level in name.split(".")]
    levels = [
        [level] if row is None else list(map(str, range(int(row[1]), int(row[2]) + 1)))
        for level, row in zip(name.split("."), found, strict=True)
    ]
    yield from map(".".join, product(*levels))


def _ranges(names: Iterable[str]) -> list[str]:
    """Return names with numbers that follow one another as a range, those of the innermost level first."""
    known = [tuple(name.split(".")) for name in names]
    for level in reversed(range(max(map(len, known)))):
        rows: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]] = {}
        others: list[tuple[str, ...]] = []
        for name in known:
            if level < len(name) and name[level].isdigit():
                rows.setdefault((name[:level], name[level + 1 :]), []).append(int(name[level]))
            else:
                others.append(name)
        known = [*others, *((*before, run, *after) for (before, after), n in rows.items() for run in _runs(n))]
    return sorted(map(".".join, known))


def _runs(numbers: Iterable[int]) -> list[str]:
    """Return numbers as ranges of those that follow one another; one alone stays as it is."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{{{run[0]}-{run[-1]}}}" for run in runs]
