"""Fields of plans that describe themselves: hosts list options, and plans check values, from them. No torch."""

import dataclasses
from typing import Any

MOST = 1e9
"""Largest value of a number of which nothing else is known: a million times what anybody wants."""


def option(default: Any, text: str, choices: tuple[str, ...] = (), *, least: float = 0, most: float = MOST) -> Any:
    """Return a field with its default, its one-sentence description, and the values it may take.

    These are `choices`, or numbers from `least` to `most`: nothing that is counted or weighed here is negative.
    """
    return dataclasses.field(default=default, metadata={"help": text, "choices": choices, "least": least, "most": most})


def key(name: str) -> str:
    """Return the spelling of a field in TOML files; `class` is a reserved word only in Python."""
    return "class" if name == "class_word" else name.replace("_", "-")
