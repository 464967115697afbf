"""Parquet over a run: a row for each LoRA and strength of its ledger, for data frames and warehouses."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ...disk.files import replacing
from ...ledger.row import Row
from ...text import inert
from .format import Format, Rows
from .results import ENDS, FACTS, Key, numbers_of

NAME = "results.parquet"
_AT_ONCE = 1000
"""Rows of a group: a run of any length needs no more memory."""
_KINDS = {"strength": "float64", "seconds": "float64", "attempts": "int64"}
_TEXT = 1000
"""Characters of a text that are kept."""


def write_parquet(rows: Rows, out: Path) -> Path:
    """Return the path of the table written into the run's folder; numbers that are none, or endless, are null."""
    from pyarrow import RecordBatch  # pyright: ignore[reportMissingImports]
    from pyarrow.parquet import ParquetWriter  # pyright: ignore[reportMissingImports]

    keys = numbers_of(rows)
    schema = _schema(keys)
    with replacing(out / NAME) as file, ParquetWriter(file, schema) as table:
        for some in _parts(rows()):
            table.write_batch(RecordBatch.from_pylist([_line(row, keys) for row in some], schema))
    return out / NAME


def _schema(keys: Sequence[Key]) -> Any:
    import pyarrow  # pyright: ignore[reportMissingImports]

    facts = [(name, _KINDS.get(name, "string")) for name in (*FACTS, "worst")]
    ends = [(f"{metric}.{name}.{end}", "float64") for metric, name in keys for end in ENDS]
    said = [(f"{metric}.{name}.decision", "string") for metric, name in keys]
    return pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in (*facts, *ends, *said)])


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        yield some


def _line(row: Row, keys: Sequence[Key]) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in FACTS}
    line = {name: inert(value, _TEXT) if isinstance(value, str) else value for name, value in facts.items()}
    line["worst"] = json.dumps({inert(label): loss for label, loss in row.worst.items()}) if row.worst else ""
    found = {(n.metric, n.name): n for n in row.numbers}
    for key in keys:
        number = found.get(key)
        for end in ENDS:
            line[f"{key[0]}.{key[1]}.{end}"] = None if number is None else _finite(getattr(number, end))
        line[f"{key[0]}.{key[1]}.decision"] = None if number is None else inert(number.decision)
    return line


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


FORMAT = Format(
    "parquet",
    "the same as Parquet (extra parquet)",
    write_run=write_parquet,
    run_file=NAME,
    needs="pyarrow",
    extra="parquet",
)
