"""The layers of the usual bases, by name: what of a file has no place in its family's base, without one. No torch.

Names lie beside the configurations of these bases, rows of blocks as one: `blocks.{0-27}.attn.to_q`.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from ...families import Family, Layers, all_families
from ..module import AdapterModule
from .names import flatten

_FOLDERS = tuple(Path(__file__).resolve().parents[2] / "families" / kind for kind in ("configs", "shapes"))
_FILE = "layers.json"
_NUMBER = re.compile(r"(.*(?:^|\.)(?:\w*blocks|layers?|block)\.)(\d+)(\..+)", re.DOTALL)
"""A name with the number of its innermost block."""
_ROW = re.compile(r"(.*)\{(\d+)-(\d+)\}(.*)", re.DOTALL)


class UsualLayers:
    """The layers of a family's usual base."""

    def __init__(self, family: Family, names: dict[str, list[str]]) -> None:
        self._title = family.title
        self._live = {component: _flattened(component, packed) for component, packed in names.items()}
        self._originals = Layers(family.pipeline.layers if family.pipeline is not None else ())

    def missing(self, module: AdapterModule) -> str | None:
        """Return why an audit on the usual base would find no layer for a module of a file; None where it would."""
        component = module.component
        if component == "text_encoder_3" and module.path.startswith("encoder_block_"):
            component = "text_encoder_2"  # T5, as files count it
        live = self._live.get(component)
        if live is None:
            return f"{self._title} has no {component}"
        if module.path in live or f"{module.path}_0" in live:
            return None
        parts = self._originals.parts(module.path) if component == "transformer" else ()
        if parts and all(part.path in live for part in parts):
            return None
        return f"{component} of {self._title} has no such module"


@cache
def usual_layers(family: str | None) -> UsualLayers | None:
    """Return the layers of a family's usual base; None where they are not written down."""
    known = next((known for known in all_families() if known.name == family), None)
    places = [folder / family / _FILE for folder in _FOLDERS] if known is not None and family else []
    place = next((place for place in places if place.is_file()), None)
    return None if place is None or known is None else UsualLayers(known, json.loads(place.read_text()))


def packed(names: Iterable[str]) -> list[str]:
    """Return dotted names with the numbers of rows of like blocks as a range; `unpacked` reads them."""
    rows: dict[tuple[str, str], list[int]] = {}
    alone: list[str] = []
    for name in names:
        found = _NUMBER.fullmatch(name)
        if found is None:
            alone.append(name)
        else:
            rows.setdefault((found[1], found[3]), []).append(int(found[2]))
    ranges = (f"{before}{{{min(n)}-{max(n)}}}{after}" for (before, after), n in rows.items() if _is_row(n))
    others = (f"{before}{n}{after}" for (before, after), all_ in rows.items() if not _is_row(all_) for n in all_)
    return sorted([*alone, *ranges, *others])


def unpacked(names: Iterable[str]) -> Iterator[str]:
    """Yield the names that `packed` was given."""
    for name in names:
        found = _ROW.fullmatch(name)
        if found is None:
            yield name
        else:
            yield from (f"{found[1]}{n}{found[4]}" for n in range(int(found[2]), int(found[3]) + 1))


def _is_row(numbers: list[int]) -> bool:
    return sorted(numbers) == list(range(min(numbers), max(numbers) + 1))


def _flattened(component: str, names: Iterable[str]) -> frozenset[str]:
    return frozenset(flatten(component, name) for name in unpacked(names))
