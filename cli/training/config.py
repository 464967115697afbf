"""TOML files of `owf-train`: flat keys named like the flags. No torch."""

import dataclasses
import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.disk.files import write_text
from ...core.disk.toml import read_toml
from ...core.errors import Setting, UsageError, naming
from ...core.plan.option import key
from ...core.train.plan import TrainPlan
from .arguments import names
from .options import RunOptions

_RECORDS = (RunOptions, TrainPlan)


def _fields() -> dict[str, dataclasses.Field[Any]]:
    """Return key -> field of everything that a TOML file may say."""
    return {key(f.name): f for record in _RECORDS for f in dataclasses.fields(record) if "help" in f.metadata}


def read_config(path: Path) -> dict[str, Any]:
    """Return field name -> value of a TOML file.

    Keys are spelled with dashes or underscores. Raises UsageError for unknown keys, with the nearest known one,
    and for values of another type.
    """
    fields, values = _fields(), {}
    with naming(Setting("config")):
        table = read_toml(path)
    for word, value in table.items():
        field = fields.get(word.replace("_", "-"))
        if field is None:
            raise UsageError(f"{path}: unknown key {word[:80]!r}{_nearest(word[:80], list(fields))}")
        if field.name in values:
            raise UsageError(f"{path}: {word!r} is there twice, with a dash and with an underscore.")
        values[field.name] = _value(path, word, value, type(field.default))
    return values


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word.replace("_", "-"), known, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else "; owf-train --help lists the keys."


_WORDS = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a list of texts",
}


def _value(path: Path, word: str, value: Any, kind: type) -> Any:
    if kind is tuple and isinstance(value, str):
        return names(value)
    if kind is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return names(",".join(value))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise UsageError(f"{path}: {word} = {value!r} must be {_WORDS[kind]}.")
    return value


def effective(values: Mapping[str, Any]) -> tuple[TrainPlan, RunOptions]:
    """Return the plan and the options for field name -> value; raise UsageError where they are wrong."""
    known = {record: {f.name for f in dataclasses.fields(record)} & set(values) for record in _RECORDS}
    plan = TrainPlan(**{name: values[name] for name in known[TrainPlan]})
    return plan, RunOptions(**{name: values[name] for name in known[RunOptions]})


def write_config(path: Path, plan: TrainPlan, options: RunOptions) -> None:
    """Write everything that is in effect as TOML; read again, it gives the same plan and options."""
    lines = ["# Options of owf-train; `owf-train --config FILE` repeats the training."]
    for record in (options, plan):
        fields = [field for field in dataclasses.fields(record) if "help" in field.metadata]
        lines += ["", *(f"{key(f.name)} = {_toml(getattr(record, f.name))}" for f in fields)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(lines) + "\n")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):  # a lone surrogate, from a file name that is not UTF-8, has no place in TOML
        text = value.encode(errors="replace").decode()
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
