"""BMP files: their profile, and whether run lengths give every pixel a colour."""

from .raw import Raw

_EMBEDDED = b"DEBM"
"""Colour space of a file that carries a profile: MBED, backwards."""
_HEADER = 14
"""Bytes of the file's own header, before that of the picture."""
_RUN_LENGTHS = {1: 8, 2: 4}
"""Kind of compression by runs -> bits of an index."""
_END_OF_LINE, _END, _DELTA = 0, 1, 2
"""What stands in place of a count after a zero."""


def take_apart(content: bytes) -> Raw:
    """Return the file with its profile. Raises ValueError where run lengths leave pixels out."""
    header = content[_HEADER : _HEADER + 40]
    bits = _RUN_LENGTHS.get(int.from_bytes(header[16:20], "little")) if len(header) == 40 else None
    if bits is not None:
        start, width = int.from_bytes(content[10:14], "little"), int.from_bytes(header[4:8], "little")
        if _leave_out(content[start:], width, abs(int.from_bytes(header[8:12], "little", signed=True)), bits):
            raise ValueError("its run lengths leave out pixels, whose colour nothing says; save it as PNG")
    return Raw("BMP", content, profile=_profile(content))


def _leave_out(runs: bytes, width: int, height: int, bits: int) -> bool:
    """Return whether a line ends early, or places are skipped: Pillow fills both with colour 0.

    That there are too few pixels in all it says itself.
    """
    at = done = x = 0
    while at + 2 <= len(runs) and done < width * height:
        count, value = runs[at : at + 2]
        at += 2
        if count:
            written = max(0, min(count, width - x))
        elif value == _END:
            return False
        elif value == _DELTA or (value == _END_OF_LINE and done % width):
            return True
        elif value == _END_OF_LINE:
            written, x = 0, 0
        else:
            written, size = value, (value * bits + 7) // 8
            at += size + size % 2
        done, x = done + written, x + written
    return False


def _profile(content: bytes) -> bytes:
    """Return the profile of a BMP with the fifth kind of header, which says where in the file it lies."""
    if (
        int.from_bytes(content[_HEADER : _HEADER + 4], "little") != 124
        or content[_HEADER + 56 : _HEADER + 60] != _EMBEDDED
    ):
        return b""
    start = _HEADER + int.from_bytes(content[_HEADER + 112 : _HEADER + 116], "little")
    return content[start : start + int.from_bytes(content[_HEADER + 116 : _HEADER + 120], "little")]
