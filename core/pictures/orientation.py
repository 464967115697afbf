"""How the camera was held, read from EXIF: a number from 1 to 8, whatever else the block holds."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

_NAME = b"Exif\0\0"
_ORIENTATION = 0x0112
"""Tag of the entry that says how a picture is turned."""
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_SIZES = {3: 2, 4: 4}
"""Type of an entry -> bytes of its value: SHORT, as the standard has it, and LONG, as some write it."""
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def orientation(exif: bytes) -> int:
    """Return the orientation that an EXIF block states, 1 (upright) where it states none that exists."""
    exif = exif.removeprefix(_NAME).removeprefix(_NAME)  # some programs write it twice
    order = _ORDERS.get(exif[:4])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)

    first = number(4, 4)
    entries = range(first + 2, min(first + 2 + 12 * number(first, 2), len(exif) - 11), 12)
    found = (number(at + 8, _SIZES.get(number(at + 2, 2), 0)) for at in entries if number(at, 2) == _ORIENTATION)
    value = next(found, 1)
    return value if 1 <= value <= 8 else 1


def upright(picture: "Image", exif: bytes) -> "Image":
    """Return the picture turned as its EXIF block says."""
    from PIL import Image

    turn = _TURNS.get(orientation(exif))
    return picture if turn is None else picture.transpose(Image.Transpose[turn])
