"""JPEG files taken apart into segments."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

_START_OF_SCAN, _END = 0xDA, 0xD9
"""Markers, without the 0xff before each."""
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}
"""Markers without a length: escaped 0xff, TEM, restarts, start of image."""
_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"


def take_apart(content: bytes) -> Raw:
    """Return the segments that make pixels, the first EXIF block, and the colour profile put together."""
    kept, exif, profile = [content[:2]], b"", {}
    at = 2
    while (at := content.find(b"\xff", at)) >= 0 and at + 4 <= len(content):
        marker, size = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (_START_OF_SCAN, _END) or size < 2 or at + 2 + size > len(content):
            kept.append(content[at:])  # pixels, or damage that the decoder may judge
            break
        body = content[at + 4 : at + 2 + size]
        if marker == 0xE1 and body.startswith(_EXIF):
            if not exif:
                exif = body
        elif marker == 0xE2 and body.startswith(_ICC) and len(body) > 14:
            profile.setdefault(body[12], (body[13], body[14:]))
        if _makes_pixels(marker, body):
            kept.append(content[at : at + 2 + size])
        at += 2 + size
    return Raw("JPEG", b"".join(kept), exif, _joined(profile))


_BLOCK = 8
"""Side in pixels of what is coded together."""
_FILLING = bytes(np.random.default_rng(0).permutation(255).tolist()) * 8
"""Bytes that are no marker, and mean something else than grey blocks in any table of codes."""


def decode_jpeg(raw: Raw, pixels: "Callable[[Raw], Image]") -> "Image":
    """Return what Pillow makes of the pixels; raises ValueError where they end before the picture does.

    libjpeg fills in grey then, and only warns, which Pillow does not hear: but pixels that are put behind a whole
    picture change nothing, and behind half of one they do.
    """
    from PIL import ImageChops

    picture = pixels(raw)
    if _may_end_in_filling(picture):
        longer = pixels(replace(raw, content=_with_more_pixels(raw.content)))
        if ImageChops.difference(picture, longer).getbbox() is not None:
            raise ValueError("its pixels end before the picture does: the file was cut off and ended again")
    return picture


def _may_end_in_filling(picture: "Image") -> bool:
    """Return whether the last block is of one level in a channel, as what a decoder fills in is."""
    last = _last(picture)
    levels = np.asarray(last.convert("YCbCr") if last.mode == "RGB" else last, int)
    return bool((np.ptp(levels.reshape(last.width * last.height, -1), axis=0) <= 1).any())  # conversions round


def _last(picture: "Image") -> "Image":
    """Return what can be seen of the last block, which every cut takes away."""
    width, height = picture.size
    return picture.crop(((width - 1) // _BLOCK * _BLOCK, (height - 1) // _BLOCK * _BLOCK, width, height))


def _with_more_pixels(content: bytes) -> bytes:
    """Return the file with further pixels before its end, restart markers among them, as a decoder may wait for one."""
    more = b"".join(bytes((0xFF, 0xD0 + number % 8)) + _FILLING for number in range(16))
    end = _end(content)
    return content[:end] + _FILLING + more + content[end:]


def _end(content: bytes) -> int:
    """Return where the marker of the end is, or would be; thumbnails and other pictures may follow it."""
    at = 2
    while (at := content.find(b"\xff", at)) >= 0 and at + 2 <= len(content):
        marker = content[at + 1]
        if marker == _END:
            return at
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return len(content)


def _makes_pixels(marker: int, body: bytes) -> bool:
    """Return whether the decoder needs a segment, as it does all but comments and programs' own.

    Two of the latter say what the channels are; libjpeg takes no notice of shorter ones, and Pillow stumbles over them.
    """
    if marker == 0xE0:
        return body.startswith(b"JFIF\0") and len(body) >= 14
    if marker == 0xEE:
        return body.startswith(b"Adobe") and len(body) >= 12
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _joined(parts: dict[int, tuple[int, bytes]]) -> bytes:
    """Return the profile in these parts, numbered from 1 or, as some write them, from 0; nothing if it is not whole."""
    for first in (1, 0):
        numbers = range(first, first + parts[first][0]) if first in parts else range(0)
        if numbers and set(parts) >= set(numbers):
            return b"".join(parts[number][1] for number in numbers)
    return b""
