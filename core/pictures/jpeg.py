"""JPEG files taken apart into segments."""

from .raw import Raw

_START_OF_SCAN, _END = 0xDA, 0xD9
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
