"""What the original code of a transformer calls its layers, which is how files of most programs name them. No torch."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_NUMBER = "{n}"


@dataclass(frozen=True)
class Layer:
    """A layer of the original code, and what it is in diffusers'."""

    original: str
    """Dotted name, with {n} for the number of a block."""
    live: tuple[str, ...]
    """The layers whose rows make it up, that of the first ones first; `/0` and `/1` mean a half of a layer's rows."""


@dataclass(frozen=True)
class LivePart:
    """A layer of diffusers', or half of one, that is some rows of a layer of the original code."""

    path: str
    """Its dotted name with underscores for dots, as all names are compared."""
    half: int | None
    """Which half of its rows; None for all."""


class Layers:
    """The layers of one architecture by their original names."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._known = [(re.compile(_pattern(layer.original), re.ASCII), layer) for layer in layers]

    def parts(self, path: str) -> tuple[LivePart, ...]:
        """Return what a layer of the original code is here, that of the first rows first; () for none.

        `path` is its dotted name with underscores for dots.
        """
        found = ((pattern.fullmatch(path), layer) for pattern, layer in self._known)
        return next((tuple(_parts(layer, match)) for match, layer in found if match), ())


def flat(name: str) -> str:
    """Return a dotted name with underscores for dots."""
    return name.replace(".", "_")


def _pattern(original: str) -> str:
    return re.escape(flat(original)).replace(re.escape(_NUMBER), r"(\d{1,3})")


def _parts(layer: Layer, match: re.Match[str]) -> Iterator[LivePart]:
    number = match[1] if match.re.groups else ""
    for live in layer.live:
        name, _, half = live.replace(_NUMBER, number).partition("/")
        yield LivePart(flat(name), int(half) if half else None)
