"""The options of `owf-train`, one for each field of the plan and of `RunOptions`; importing it is cheap."""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from ...core.train.plan import TrainPlan
from ..arguments.numbers import number, whole
from ..arguments.paths import user_path
from ..output.wording import flag
from .options import RunOptions

EPILOG = """exit codes: 0 trained (whatever the audit says), 2 usage error, 70 a bug, 130 interrupted,
141 nobody reads the output any more

examples:
  owf-train photos/ --base model.safetensors --trigger sks --class dog --out loras
  owf-train demo/concept --demo-base --trigger sks --class pullover --preset quick
  owf-train --config train.toml --drift-budget 0.005"""

_GROUPS = {
    "pictures": "pictures and prompts",
    "base": "base model",
    "trigger": "concept and length",
    "method": "what is trained",
    "resolution": "how pictures are seen",
    "optimizer": "optimizer and loss",
    "preserve": "what is preserved, and how strongly",
    "drift_every": "what is watched",
    "out": "how it runs",
}
"""First field of a group -> its title in --help."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of `owf-train`; its namespace holds only what was given."""
    top = argparse.ArgumentParser(
        prog="owf-train",
        usage="owf-train PICTURES (--base PATH_OR_ID | --demo-base) [--trigger WORD --class WORD] [options]",
        description="Train a LoRA of a concept that does not make its base model forget the rest.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    fields = _grouped()
    for first, title in _GROUPS.items():
        group = top.add_argument_group(title)
        for field in fields[first]:
            _add(group, field)
        if first == "out":
            _add_unsaved(group)
    return top


def _grouped() -> dict[str, list[dataclasses.Field[Any]]]:
    groups: dict[str, list[dataclasses.Field[Any]]] = {}
    for record in (RunOptions, TrainPlan):
        members: list[dataclasses.Field[Any]] = []
        for field in dataclasses.fields(record):
            if field.name in _GROUPS:
                members = groups.setdefault(field.name, [])
            if "help" in field.metadata:
                members.append(field)
    return groups


def _add(group: argparse._ArgumentGroup, field: dataclasses.Field[Any]) -> None:
    text = field.metadata["help"].replace("%", "%%") + _default(field.default)
    if field.name == "pictures":
        group.add_argument("pictures", nargs="?", metavar="PICTURES", help=text)
    elif isinstance(field.default, bool):
        group.add_argument(flag(field.name), dest=field.name, action=argparse.BooleanOptionalAction, help=text)
    else:
        kind = _KINDS[type(field.default)]
        group.add_argument(flag(field.name), dest=field.name, type=kind, metavar=_metavar(field), help=text)


def _metavar(field: dataclasses.Field[Any]) -> str:
    choices = field.metadata["choices"]
    if choices:
        return "{" + ",".join(choices) + "}" + (",..." if isinstance(field.default, tuple) else "")
    return _METAVARS.get(field.name) or {str: "TEXT", int: "N", float: "X"}[type(field.default)]


def _default(value: Any) -> str:
    if value == "":
        return ""
    if isinstance(value, bool):
        return f" (default {'on' if value else 'off'})"
    return f" (default {','.join(value) if isinstance(value, tuple) else value})"


def names(text: str) -> tuple[str, ...]:
    """Return the comma-separated names in a text; "none" is the empty list."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    return () if found == ("none",) else found


_KINDS: dict[type, Callable[[str], Any]] = {str: str, int: whole, float: number, tuple: names}
_METAVARS = {
    "validation": "FOLDER",
    "bank": "FILE",
    "base": "PATH_OR_ID",
    "out": "FOLDER",
    "cache": "FOLDER",
    "name": "NAME",
    "trigger": "WORD",
    "class_word": "WORD",
    "save_every": "SECONDS",
}


def _add_unsaved(group: argparse._ArgumentGroup) -> None:
    """Add what belongs to one call alone and is therefore in no TOML file."""
    group.add_argument("--config", type=user_path, metavar="TOML", help="read options from a file; flags override it")
    group.add_argument("--save-config", type=user_path, metavar="TOML", help="write all options to a file, and stop")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="load nothing; say rows, and about how long it takes and how much memory, here and on cards of 8, 12 and "
        "24 GB",
    )
    group.add_argument("--resume", action="store_true", help="continue from the checkpoint, to the same bytes")
    group.add_argument("--overwrite", action="store_true", help="replace what lies there under this name")
