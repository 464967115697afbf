"""Small colour profiles whose effect can be worked out by hand."""

import struct
from collections.abc import Mapping, Sequence

D50 = (0.9642, 1.0, 0.8249)
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""XYZ of red, green and blue of Adobe RGB (1998), adapted to D50."""


def profile(space: bytes, pcs: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """Return an ICC profile of version 2 for a display."""
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78), b"wtpt": _xyz(D50), **tags}
    table, body = b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = b"lcms" + struct.pack(">I", 0x02100000) + kind + space + pcs + bytes(12) + b"acsp" + bytes(28)
    whole = head + b"".join(map(_fixed, D50)) + bytes(48) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole) + 4) + whole


def rgb(primaries: Sequence[Sequence[float]] = ADOBE, gamma: float = 563 / 256) -> bytes:
    """Return the profile of a space with these primaries; `gamma` in steps of 1/256."""
    colors = {name + b"XYZ": _xyz(color) for name, color in zip((b"r", b"g", b"b"), primaries, strict=True)}
    curves = {name + b"TRC": _curve(gamma) for name in (b"r", b"g", b"b")}
    return profile(b"RGB ", b"XYZ ", {**colors, **curves})


def grey(gamma: float) -> bytes:
    """Return the profile of greys."""
    return profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk(corners: Mapping[tuple[int, int, int, int], tuple[int, int, int]]) -> bytes:
    """Return a profile in which these corners of CMYK (0 or 1 each) have a colour in Lab, and all others are black."""
    ramp = bytes(range(256))
    grid = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    colors = (corners.get(corner, (0, 0, 0)) for corner in grid)
    cube = b"".join(bytes((round(L * 255 / 100), a + 128, b + 128)) for L, a, b in colors)
    identity = b"".join(map(_fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + cube + ramp * 3
    return profile(b"CMYK", b"Lab ", {b"A2B0": table})


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(color: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, color))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
