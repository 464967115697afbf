"""JSON lines over a run: one object for each LoRA and strength of its ledger, for other programs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ...disk.files import replacing
from ...ledger.row import Row
from .format import Format, Rows

NAME = "ledger.jsonl"


def write_jsonl(rows: Rows, out: Path) -> Path:
    """Return the path of the file written into the run's folder."""
    with replacing(out / NAME) as file:
        for row in rows():
            file.write(json.dumps(row_data(row)).encode("ascii") + b"\n")
    return out / NAME


def row_data(row: Row) -> dict[str, Any]:
    """Return a row as JSON takes it, its picture left out; a number that is none, or endless, is null."""
    data = {key: value for key, value in dataclasses.asdict(row).items() if key != "thumbnail"}
    data["numbers"] = [number.plain() for number in row.numbers]
    return data


FORMAT = Format("jsonl", "a line of JSON for each LoRA and strength of a run", write_run=write_jsonl, run_file=NAME)
