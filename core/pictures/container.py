"""Picture files taken apart before Pillow sees them: pixels here, metadata there.

Pillow parses all metadata when it opens a file, and some of it stops the opening: a large text or profile, a damaged
EXIF header, a bad checksum in a comment. What it is given here holds nothing but what makes pixels.
"""

from . import bmp, gif, jpeg, png, webp
from .raw import Raw

_STARTS = {
    png.SIGNATURE: "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"II+\0": "a TIFF",
    b"MM\0+": "a TIFF",
    b"8BPS": "a Photoshop document",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"%PDF": "a PDF document",
    b"\0\x05\x16\x07": "macOS' notes on another file",
    b"<": "a text, such as a web page",
}
_BRANDS = {b"avif": "an AVIF picture", b"avis": "an AVIF picture"}
_HEIC = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_TAKE_APART = {
    "PNG": png.take_apart,
    "JPEG": jpeg.take_apart,
    "WEBP": webp.take_apart,
    "BMP": bmp.take_apart,
    "GIF": gif.take_apart,
}
KINDS = tuple(_TAKE_APART)
"""Kinds that are read, as Pillow calls them. TIFF is not: it can hold anything."""


def kind_of(content: bytes) -> str:
    """Return one of `KINDS`, or what else the file is in words; empty where nothing is known of it."""
    if not content:
        return "nothing (the file is empty)"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[4:8] == b"ftyp":
        brand = content[8:12]
        return _BRANDS.get(brand, "a HEIC picture" if brand in _HEIC else "a film")
    return next((kind for start, kind in _STARTS.items() if content.startswith(start)), "")


def take_apart(content: bytes, kind: str) -> Raw:
    """Return pixels and metadata of one of `KINDS`; raises ValueError where its pixels need what is broken."""
    return _TAKE_APART[kind](content)
