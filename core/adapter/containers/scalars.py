"""Single numbers decoded from raw bytes, so that alphas are known without importing torch."""

import math
import struct

from ...errors import AdapterError
from .source import Bytes, Entry

_CODES = {
    "F16": "<e",
    "F32": "<f",
    "F64": "<d",
    "BOOL": "<?",
    "U8": "<B",
    "I8": "<b",
    "I16": "<h",
    "U16": "<H",
    "I32": "<i",
    "U32": "<I",
    "I64": "<q",
    "U64": "<Q",
}


def scalar(entry: Entry, read: Bytes) -> float:
    """Return the value of a tensor with one element; raises AdapterError for any other shape."""
    if entry.numel != 1:
        raise AdapterError(f"must be a single number, but has shape {list(entry.shape)}")
    return decode(bytes(read(entry)), entry.dtype)


def decode(raw: bytes, dtype: str) -> float:
    """Return the number that `raw` holds as element type `dtype` (safetensors spelling).

    Raises AdapterError when there are too few bytes, which means that the file changed while being read.
    """
    try:
        if dtype == "BF16":
            return struct.unpack("<f", b"\0\0" + raw)[0]
        if dtype == "F8_E5M2":
            return struct.unpack("<e", b"\0" + raw)[0]
        if dtype == "F8_E4M3":
            return _e4m3(raw[0])
        return float(struct.unpack(_CODES[dtype], raw)[0])
    except (struct.error, IndexError) as error:
        raise AdapterError("the file ended early; it changed while it was read") from error


def _e4m3(bits: int) -> float:
    sign = -1.0 if bits & 0x80 else 1.0
    exponent, mantissa = (bits >> 3) & 0xF, bits & 0x7
    if exponent == 0xF and mantissa == 0x7:
        return math.nan
    if exponent == 0:
        return sign * mantissa * 2.0**-9
    return sign * (1 + mantissa / 8) * 2.0 ** (exponent - 7)
