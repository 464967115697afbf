"""A quick look at the weights with numpy alone: finite, zero, and roughly how large is each change?"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...text import inert
from ..adapter import Adapter
from ..containers.source import Bytes, Entry, all_mapped
from ..module import AdapterModule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Element type -> (integer of the same size, smallest bit pattern that is not finite, the sign aside).
_LIMITS = {
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F32": ("<u4", 0x7F800000),
    "F64": ("<u8", 0x7FF0000000000000),
    "F8_E4M3": ("u1", 0x7F),
    "F8_E5M2": ("u1", 0x7C),
}
_CHUNK = 1 << 19  # bytes that stay in the processor's cache between the two passes
_SAMPLES = 2048


@dataclass(frozen=True)
class Sketch:
    """What a quick look shows; no base is involved."""

    sizes: tuple[float, ...]
    """Estimated Frobenius norm of each module's change, in the order of `Adapter.modules`.

    Of (IA)^3, OFT and Custom Diffusion, whose change depends on the base: the norm of the factors.
    """
    not_finite: tuple[str, ...]
    """Tensors with NaN or infinity, inert names."""
    zero: int
    """Modules whose change is exactly zero."""


def sketch(adapter: Adapter) -> Sketch:
    """Return estimated sizes of the changes and the tensors that are not finite.

    Every byte is tested for NaN and infinity; sizes come from at most 2048 elements per tensor, so they are
    good to a few percent. Takes about 0.03 s for a file of 200 MB.
    """
    sizes: list[float] = []
    bad: list[Entry] = []
    zero = 0
    with all_mapped(module.source for module in adapter.modules) as reads:
        for module in adapter.modules:
            read = reads[module.source]
            sizes.append(_size(module, read))
            peaks = _peaks(module, read)
            bad += [module.slots[slot] for slot, peak in peaks.items() if peak >= _limit(module.slots[slot])]
            zero += _is_zero(module, {slot for slot, peak in peaks.items() if peak == 0})
    return Sketch(tuple(sizes), tuple(inert(entry.name, 120) for entry in bad), zero)


def changes_nothing(module: AdapterModule, read: Bytes) -> bool:
    """Return whether a module leaves the weights of any base as they are, whatever it is called."""
    peaks = _peaks(module, read)
    finite = all(peak < _limit(module.slots[slot]) for slot, peak in peaks.items())
    return finite and _is_zero(module, {slot for slot, peak in peaks.items() if peak == 0})


def _peaks(module: AdapterModule, read: Bytes) -> dict[str, int]:
    return {slot: _peak(entry, read) for slot, entry in module.slots.items() if entry.is_float}


def _limit(entry: Entry) -> int:
    return _LIMITS[entry.dtype][1]


def _peak(entry: Entry, read: Bytes) -> int:
    """Return the bit pattern of the largest element, the sign aside; patterns are in the order of the numbers."""
    import numpy as np

    kind = _LIMITS[entry.dtype][0]
    positive = np.frombuffer(read(entry), kind.replace("u", "i"))  # here negative numbers are all below 0
    negative = positive.view(kind)  # and here above every positive one, with the sign as their highest bit
    sign = 1 << (8 * negative.itemsize - 1)
    peak = 0
    for start in range(0, positive.size, _CHUNK // positive.itemsize):
        part = slice(start, start + _CHUNK // positive.itemsize)
        peak = max(peak, int(positive[part].max()), int(negative[part].max()) - sign)
    return peak


def _is_zero(module: AdapterModule, zeros: set[str]) -> bool:
    """Return whether the change is zero for any base, given which slots hold nothing but zeros."""
    if module.is_dora:
        return False
    biases = module.algorithm.biases & module.factors.keys()
    return biases <= zeros and module.algorithm.is_zero(module.factors.keys() - biases, zeros)


def _size(module: AdapterModule, read: Bytes) -> float:
    norms = {slot: _norm(entry, read) for slot, entry in module.slots.items() if entry.is_float and slot != "alpha"}
    return module.algorithm.size(norms, module.outline, module.scale)


def _norm(entry: Entry, read: Bytes) -> float:
    """Return the Frobenius norm, estimated from evenly spaced elements."""
    import numpy as np

    sample = _floats(entry, read, max(1, entry.numel // _SAMPLES)).astype(np.float64)
    peak = float(abs(sample).max()) if sample.size else 0.0
    if not 0 < peak < math.inf:
        return peak
    sample /= peak  # squares of float64 may overflow
    return peak * math.sqrt(float(sample @ sample) * entry.numel / sample.size)


def _floats(entry: Entry, read: Bytes, step: int) -> "NDArray[np.floating]":
    import numpy as np

    kind = _LIMITS[entry.dtype][0]
    bits = np.frombuffer(read(entry), kind)[::step]
    if entry.dtype == "BF16":
        return (bits.astype(np.uint32) << 16).view(np.float32)
    if entry.dtype == "F8_E5M2":
        return (bits.astype(np.uint16) << 8).view(np.float16)
    if entry.dtype == "F8_E4M3":
        return _e4m3(bits)
    return np.ascontiguousarray(bits).view(kind.replace("u", "f"))


def _e4m3(bits: "NDArray[np.uint8]") -> "NDArray[np.floating]":
    """Return float32 values: exponent and mantissa are moved into place, then the bias of 7 is corrected."""
    import numpy as np

    wide = bits.astype(np.uint32)
    return ((wide & 0x80) << 24 | (wide & 0x7F) << 20).view(np.float32) * np.float32(2.0**120)
