"""The layers of the usual bases, by name and shape: what of a file has no place in them, without a base. No torch.

`layers.json` lies beside the configurations of these bases; `python bench/layers.py` writes it.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from ...families import Family, Layers, LivePart, all_families
from ..module import AdapterModule
from .first_layer import trained_on
from .layer_tables import Shape, Table, unpacked
from .names import DENOISERS, flatten

_FOLDERS = tuple(Path(__file__).resolve().parents[2] / "families" / kind for kind in ("configs", "shapes"))
_NUMBERED = re.compile(r"(.*?)_(\d{1,3})_", re.ASCII)
LAYERS = "layers.json"
"""File that has them: title of a base -> component -> table of its layers."""


Check = Callable[[AdapterModule, Shape], "str | None"]
"""From a module and the shape of a weight to why it cannot change such a layer; None where it can."""


class UsualLayers:
    """The layers of a base that is usual in its family."""

    def __init__(self, title: str, family: Family, tables: Mapping[str, Table]) -> None:
        self.title = title
        self.family = family.name
        self._shapes = {
            component: {flatten(component, name): shape for name, shape in unpacked(table)}
            for component, table in tables.items()
        }
        self._originals = _originals(family)
        self._reads_text = family.pipeline is not None

    def missing(self, module: AdapterModule) -> str | None:
        """Return why an audit on this base would find no layer for a module of a file; None where it would."""
        component = _component(module)
        if component not in self._shapes:
            unknown = component.startswith("text_encoder") and not self._reads_text  # of which nothing is written down
            return None if unknown else f"{self.title} has no {component}"
        return None if self._places(module) else f"{component} of {self.title} has no such module"

    def misfit(self, module: AdapterModule, check: Check) -> str | None:
        """Return what `check` says of the shape of the weight that a module changes; None where the base has none.

        Where it is several layers' it is that of all together. A first layer that reads more than latents, as that of
        a known variant, is held against the variant's.
        """
        shape = self._shape(module)
        if shape is None:
            return None
        inputs = module.outline.inputs
        if inputs is not None and trained_on(module, self.family):
            shape = (shape[0], inputs, *shape[2:])
        return check(module, shape)

    def layers(self, module: AdapterModule) -> set[tuple[str, str]]:
        """Return the layers that a module changes: component and path; none where an audit would find none."""
        component = _component(module)
        return {(component, part.path) for part in self._places(module)}

    def last_blocks(self, modules: Iterable[AdapterModule]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the numbers of the last blocks of the rows of blocks that modules change: theirs, and the base's."""
        theirs, own = dict[str, int](), dict[str, int]()
        for module in modules:
            for part in self._places(module):
                row, number = _block(part.path)
                theirs[row] = max(theirs.get(row, number), number)
        for path in (path for component in DENOISERS for path in self._shapes.get(component, ())):
            row, number = _block(path)
            if row in theirs:
                own[row] = max(own.get(row, number), number)
        return theirs, own

    def _shape(self, module: AdapterModule) -> Shape | None:
        found = [self._rows(_component(module), part) for part in self._places(module)]
        if len(found) == 1:
            return found[0]
        if not found or any(len(shape) != 2 for shape in found) or len({shape[1] for shape in found}) != 1:
            return None
        return sum(shape[0] for shape in found), found[0][1]

    def _places(self, module: AdapterModule) -> Sequence[LivePart]:
        component = _component(module)
        known = self._shapes.get(component, {})
        for path in (module.path, f"{module.path}_0"):
            if path in known:
                return (LivePart(path, None),)
        parts = self._originals.parts(module.path) if component == "transformer" else ()
        return parts if all(part.path in known for part in parts) else ()

    def _rows(self, component: str, part: LivePart) -> Shape:
        shape = self._shapes[component][part.path]
        return shape if part.half is None else (shape[0] // 2, *shape[1:])


def _block(path: str) -> tuple[str, int]:
    """Return the row of blocks that a layer lies in, and the number of its block; ("", 0) for none."""
    found = _NUMBERED.match(path)
    return (found[1], int(found[2])) if found else ("", 0)


def _component(module: AdapterModule) -> str:
    if module.component == "text_encoder_3" and module.path.startswith("encoder_block_"):
        return "text_encoder_2"  # T5, as files count it
    return module.component


@cache
def _originals(family: Family) -> Layers:
    return Layers(family.layers if family.pipeline is None else family.pipeline.layers)


@cache
def usual_layers(family: str | None) -> tuple[UsualLayers, ...]:
    """Return the layers of a family's usual bases, of which most have one; () where they are not written down."""
    known = next((known for known in all_families() if known.name == family), None)
    places = [folder / known.name / LAYERS for folder in _FOLDERS] if known is not None else []
    place = next((place for place in places if place.is_file()), None)
    if place is None or known is None:
        return ()
    bases = json.loads(place.read_text(encoding="utf-8"))
    return tuple(UsualLayers(title, known, tables) for title, tables in bases.items())
