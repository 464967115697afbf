"""The lines that a command writes with `--progress json`, held against the schema that ships. No package needed."""

import json
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).resolve().parents[2] / "cli" / "events.schema.json"
LONGEST = 1 << 20
"""Bytes of a line that are read as an event: names of a thousand pages fit in."""
_TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def read_event(line: bytes) -> dict[str, Any] | None:
    """Return the event in a line; None for anything else, such as what a library prints."""
    if len(line) > LONGEST:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if fits(value, schema()) else None


@cache
def schema() -> dict[str, Any]:
    """Return the schema of the command line's events."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether a value is what a JSON schema says, as far as the schema of the events uses that language."""
    return all(_RULES[word](value, said, schema) for word, said in schema.items() if word not in _SAID_OF_IT)


def _type(value: Any, said: Any, schema: dict[str, Any]) -> bool:
    return any(_TYPES[kind](value) for kind in ([said] if isinstance(said, str) else said))


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and value == other  # 1 and true are not the same here


def _properties(value: Any, said: Any, schema: dict[str, Any]) -> bool:
    return not isinstance(value, dict) or all(fits(value[name], rule) for name, rule in said.items() if name in value)


def _additional(value: Any, said: Any, schema: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    others = [held for name, held in value.items() if name not in schema.get("properties", {})]
    return not others if said is False else all(fits(held, said) for held in others)


_RULES = {
    "oneOf": lambda value, said, schema: sum(fits(value, rule) for rule in said) == 1,
    "type": _type,
    "enum": lambda value, said, schema: any(_same(value, other) for other in said),
    "const": lambda value, said, schema: _same(value, said),
    "required": lambda value, said, schema: not isinstance(value, dict) or all(name in value for name in said),
    "properties": _properties,
    "additionalProperties": _additional,
    "items": lambda value, said, schema: not isinstance(value, list) or all(fits(held, said) for held in value),
}
"""Word of the schema -> whether value, what the word says and the schema around it agree; others are a KeyError."""
_SAID_OF_IT = ("$schema", "title")
