"""PNG files taken apart into chunks, and samples of 16 bits read as they are.

Pillow cuts 16-bit colours to their upper byte, gives 16-bit greys in a mode that depends on its version, and compares
the transparent colour of a file with samples that it has scaled. So the samples are put together here.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .raw import Raw, require_colors

if TYPE_CHECKING:
    from PIL.Image import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE = 2**24
"""Bytes of a colour profile that are unpacked: the largest in use have three million."""
_PIECE = 2**20
"""Bytes that are unpacked at once."""
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass of an interlaced picture the first column and row, and the steps to the next."""
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
"""Types of colour in the header."""


@dataclass
class RawPng(Raw):
    """A PNG file taken apart."""

    depth: int = 8
    """Bits of a sample."""
    color: int = _RGB
    """The file's colour type."""
    clear: tuple[int, ...] = ()
    """The samples of the one transparent colour; empty where there is none."""
    colors: int = 0
    """Colours of its palette."""
    interlaced: bool = False
    """Whether its pixels come in several passes."""


def take_apart(content: bytes) -> RawPng:
    """Return what makes pixels, EXIF and profile. Raises ValueError where the chunks before the pixels are broken."""
    header = content[len(SIGNATURE) : len(SIGNATURE) + 25]
    if header[:8] != b"\0\0\0\x0dIHDR" or len(header) < 25:
        raise ValueError("its PNG header is broken")
    raw = RawPng("PNG", b"", depth=header[16], color=header[17], interlaced=bool(header[20]))
    kept, started = [SIGNATURE], False
    for name, body, chunk, sound in _chunks(content):
        started = started or name == b"IDAT"
        if name == b"PLTE" and not started:  # one that follows the pixels is not read
            raw.colors = len(body) // 3
        if name == b"tRNS" and raw.color in (_GREY, _RGB):
            raw.clear = _clear(raw, body, sound)
        elif not name[0] & 32 or name == b"tRNS":  # a small first letter: the pixels do not need it
            kept.append(chunk)
        elif name == b"eXIf" and sound:
            raw.exif = raw.exif or body
        elif name == b"iCCP" and sound:
            raw.profile = raw.profile or _unpacked(body)
    raw.content = b"".join(kept)
    return raw


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bytes, bool]]:
    """Yield name, body, the whole chunk and whether its checksum fits, as far as the file goes."""
    at = len(SIGNATURE)
    while at + 8 <= len(content):
        size, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        chunk = content[at : at + 12 + size]
        body = chunk[8 : 8 + size]
        sound = len(chunk) == 12 + size and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        yield name, body, chunk, sound
        if name == b"IEND":
            return
        at += 12 + size


def _clear(raw: RawPng, body: bytes, sound: bool) -> tuple[int, ...]:
    count = 1 if raw.color == _GREY else 3
    if not sound or len(body) != 2 * count:
        raise ValueError("the chunk that names its transparent colour (tRNS) is broken")
    # Only the lower bits count where samples have fewer than 16.
    return tuple(int.from_bytes(body[i : i + 2], "big") & (1 << raw.depth) - 1 for i in range(0, 2 * count, 2))


def _unpacked(body: bytes) -> bytes:
    name, _, packed = body.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], MAX_PROFILE) if name else b""
    except zlib.error:
        return b""


def decode_png(raw: Raw, pixels: "Callable[..., Image]") -> "tuple[Image, Image | None]":
    """Return colours (L or RGB) and opacity (L, or None where all is opaque); `pixels` asks Pillow."""
    from PIL import Image

    assert isinstance(raw, RawPng)
    if raw.depth == 16 and raw.color != _PALETTE:
        samples = _deep_samples(raw, pixels)
        _require_all(raw, samples)
        return _from_deep(raw, samples)
    picture = pixels(raw)
    _require_all(raw, np.asarray(picture))
    if raw.color == _PALETTE:
        require_colors(picture, raw.colors)
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    if raw.clear:
        top = (1 << raw.depth) - 1
        seen = np.array([level * 255 // top for level in raw.clear], np.uint8)
        samples = np.asarray(picture).reshape(picture.height, picture.width, -1)
        return picture, Image.fromarray(_opaque(samples, seen))
    if picture.mode in ("LA", "RGBA"):
        return picture.convert(picture.mode[:-1]), picture.getchannel("A")
    return picture, None


def _require_all(raw: RawPng, samples: np.ndarray) -> None:
    """Raise ValueError where the pixels end before the picture does: Pillow leaves the rest black where it looks so."""
    height, width = samples.shape[:2]
    if not raw.interlaced and samples[-1].any():
        return
    bits = raw.depth * {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}[raw.color]
    passes = _PASSES if raw.interlaced else ((0, 0, 1, 1),)
    sides = [(len(range(left, width, right)), len(range(top, height, down))) for left, top, right, down in passes]
    missing = sum(rows * (1 + (bits * columns + 7) // 8) for columns, rows in sides if columns)
    packed = b"".join(body for name, body, _, _ in _chunks(raw.content) if name == b"IDAT")[2:]
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)  # without the checksum, which Pillow does not look at either
    while missing > 0 and packed and not unpacker.eof:
        missing -= len(unpacker.decompress(packed, _PIECE))
        packed = unpacker.unconsumed_tail
    if missing > 0:
        raise ValueError("its pixels end before the picture does: the file was cut off and ended again")


def _opaque(samples: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return (H, W) opacities: 0 where all samples are those of the transparent colour, else 255."""
    return np.where((samples == clear).all(2), 0, 255).astype(np.uint8)


def _deep_samples(raw: RawPng, pixels: "Callable[..., Image]") -> np.ndarray:
    """Return (H, W, channels) uint16."""
    if raw.color in (_GREY, _GREY_ALPHA):
        # A pixel of one or two 16-bit samples has the bytes, and so the filters, of two or four samples of 8 bits.
        wide = np.asarray(pixels(_declared(raw, 8, _GREY_ALPHA if raw.color == _GREY else _RGBA)))
        return np.ascontiguousarray(wide).view(">u2").astype(np.uint16)
    # Three or four have not; but Pillow also has an unpacker that takes the other byte of each sample.
    mode = "RGB" if raw.color == _RGB else "RGBA"
    samples = np.asarray(pixels(raw, f"{mode};16B")).astype(np.uint16)
    samples <<= 8
    samples |= np.asarray(pixels(raw, f"{mode};16L"))
    return samples


def _declared(raw: RawPng, depth: int, color: int) -> RawPng:
    """Return the same file with another depth and colour type in its header."""
    start = len(SIGNATURE)
    if zlib.crc32(raw.content[start + 4 : start + 21]) != int.from_bytes(raw.content[start + 21 : start + 25], "big"):
        raise ValueError("the checksum of its PNG header is wrong")
    header = raw.content[start + 4 : start + 16] + bytes((depth, color)) + raw.content[start + 18 : start + 21]
    whole = raw.content[: start + 4] + header + zlib.crc32(header).to_bytes(4, "big") + raw.content[start + 25 :]
    return replace(raw, content=whole)


def _from_deep(raw: RawPng, samples: np.ndarray) -> "tuple[Image, Image | None]":
    from PIL import Image

    alpha = None
    if raw.clear:
        alpha = Image.fromarray(_opaque(samples, np.array(raw.clear, np.uint16)))
    levels = _to_bytes(samples)
    if raw.color in (_GREY_ALPHA, _RGBA):
        alpha = Image.fromarray(np.ascontiguousarray(levels[:, :, -1]))
        levels = levels[:, :, :-1]
    if raw.color in (_GREY, _GREY_ALPHA):
        levels = levels[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(levels)), alpha


def _to_bytes(samples: np.ndarray) -> np.ndarray:
    """Return round(samples / 257): white is 65535, whatever the brightest sample is."""
    return ((np.minimum(samples, 65535 - 128) + np.uint16(128)) // np.uint16(257)).astype(np.uint8)
