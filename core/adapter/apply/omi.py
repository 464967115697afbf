"""LoRA files in the Open Model Initiative's names, as OneTrainer wrote them in backups and, if asked, until July 2026.

Its converter turned diffusers' names into those of the original code. Where that has the halves of a layer's rows the
other way round, it exchanged those of LoRA's `up` and left every other tensor as it was, so that a magnitude for each
output, or the factors of another algorithm, stand in diffusers' order under the original name. What OneTrainer writes
since begins otherwise, and has the magnitudes exchanged too.
"""

from dataclasses import replace

from ...families import Layers, LivePart
from ..adapter import Adapter
from ..module import AdapterModule

_BEGINNING = "transformer."
"""How such names begin; nobody else puts it before the original code's."""


def in_live_order(adapter: Adapter, layers: Layers) -> Adapter:
    """Return the adapter with such layers of it named as the live transformer names them."""
    return replace(adapter, modules=tuple(_in_live_order(module, layers) for module in adapter.modules))


def _in_live_order(module: AdapterModule, layers: Layers) -> AdapterModule:
    if module.component != "transformer" or not module.stem.startswith(_BEGINNING):
        return module
    parts = layers.parts(module.path)
    path = parts[0].path if parts else ""
    if parts != (LivePart(path, 1), LivePart(path, 0)):
        return module
    return replace(module, path=path, up_exchanged=True)
