"""Picture files taken apart before Pillow sees them: pixels here, metadata there.

Pillow parses all metadata when it opens a file, and some of it stops the opening: a large text or profile, a damaged
EXIF header, a bad checksum in a comment. What it is given here holds nothing but what makes pixels.
"""

from . import jpeg, png
from .raw import Raw

KINDS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""Kinds that are read, as Pillow calls them. TIFF is not: it can hold anything."""
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
_EMBEDDED = b"DEBM"
"""Colour space of a BMP file that carries a profile: MBED, backwards."""


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
    if kind == "PNG":
        return png.take_apart(content)
    if kind == "JPEG":
        return jpeg.take_apart(content)
    return Raw(kind, content, profile=_bmp_profile(content) if kind == "BMP" else b"")


def _bmp_profile(content: bytes) -> bytes:
    """Return the profile of a BMP with the fifth kind of header, which says where in the file it lies."""
    header = 14  # after the file's own
    if int.from_bytes(content[header : header + 4], "little") != 124 or content[header + 56 : header + 60] != _EMBEDDED:
        return b""
    start = header + int.from_bytes(content[header + 112 : header + 116], "little")
    return content[start : start + int.from_bytes(content[header + 116 : header + 120], "little")]
