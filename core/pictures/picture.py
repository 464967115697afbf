"""Opening a picture file, the one border to Pillow, and cutting pictures to the size that is asked for."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..disk.files import open_regular
from ..errors import UsageError
from .container import KINDS, Raw, kind_of, take_apart
from .gif import decode_gif
from .jpeg import decode_jpeg
from .orientation import upright
from .png import decode_png
from .profile import to_srgb
from .raw import require_colors

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif"}
MAX_PIXELS = 10**8
"""Larger pictures are refused before they are decoded."""
MAX_BYTES = 2**30
"""Larger files are refused unread: `MAX_PIXELS` of the deepest kind, eight bytes each, are less."""
_TOO_LARGE = f"it has more than {MAX_PIXELS:,} pixels; shrink it, or leave it out"
_PILLOW = threading.Lock()
"""Held while settings of Pillow that other programs in this process may have changed are as we need them."""


def open_picture(path: Path) -> "Image.Image":
    """Return a picture in 8-bit sRGB (mode RGB), upright, on white where it is transparent; see docs/pictures.md.

    Of an animation the first frame is taken. Raises UsageError, which names the file, where the pixels cannot be read;
    metadata (EXIF, colour profile, text), whatever its size and state, is never the reason.
    """
    try:
        return _decode(_content(path))
    except Exception as error:  # Pillow lets out whatever its parsers stumble over: struct.error, KeyError, ...
        raise UsageError(f"{path} cannot be read as a picture: {_cause(error)}.") from error


def _content(path: Path) -> bytes:
    with open_regular(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES >> 20} MiB; save it smaller, or leave it out")
    return content


def _decode(content: bytes) -> "Image.Image":
    kind = kind_of(content)
    if kind not in KINDS:
        raise ValueError(
            f"what it holds is {kind or 'no picture of a known kind'}; save it as PNG, JPEG, WebP, BMP or GIF"
        )
    with _pillow_as_needed():
        raw = take_apart(content, kind)
        color, alpha = _decoded(raw)
        return upright(_on_white(to_srgb(color, raw.profile), _within(raw.frame, color, alpha)), raw.exif)


def _decoded(raw: Raw) -> "tuple[Image.Image, Image.Image | None]":
    """Return the colours (L, RGB or CMYK) and the opacity (L), None where all is opaque."""
    if raw.kind == "PNG":
        return decode_png(raw, _pixels)
    decode = {"GIF": decode_gif, "JPEG": decode_jpeg}.get(raw.kind)
    return _separated(_pixels(raw) if decode is None else decode(raw, _pixels))


@contextmanager
def _pillow_as_needed() -> Iterator[None]:
    """Return a context in which half a picture is an error and Pillow warns of nothing, whatever a host has set."""
    from PIL import GifImagePlugin, Image, ImageFile

    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        strategy = GifImagePlugin.LOADING_STRATEGY
        # Pillow refuses twice its limit, for some formats before it asks for memory; the rest is refused in `_pixels`.
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, MAX_PIXELS
        GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_AFTER_FIRST  # the first as indices
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = before
            GifImagePlugin.LOADING_STRATEGY = strategy


def _pixels(raw: Raw, rawmode: str = "") -> "Image.Image":
    """Return what Pillow makes of the pixels, unpacked as `rawmode` instead of its own choice if that is named."""
    from PIL import Image

    picture = Image.open(io.BytesIO(raw.content), formats=(raw.kind,))
    if picture.width * picture.height > MAX_PIXELS:
        raise ValueError(_TOO_LARGE)
    if rawmode:
        (tile,) = picture.tile
        make: Any = getattr(type(tile), "_make", tuple)  # tiles were plain tuples before Pillow 11
        picture.tile = [make((*tile[:3], rawmode))]
    picture.load()
    # WebP keeps its metadata out of the way of the pixels, so Pillow may take it out.
    raw.exif = raw.exif or picture.info.get("exif", b"")
    raw.profile = raw.profile or picture.info.get("icc_profile", b"")
    return picture


def _separated(picture: "Image.Image") -> "tuple[Image.Image, Image.Image | None]":
    """Return the same as `_decoded`, from what Pillow makes of the pixels."""
    file_format = picture.format
    if picture.mode == "P" and picture.palette is not None:
        require_colors(picture, len(picture.palette.palette) // len(picture.palette.mode))
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        # Programs that know no opacity leave the fourth byte of a BMP's pixels empty.
        unused = file_format == "BMP" and alpha.getextrema() == (0, 0)
        return picture.convert("RGB"), None if unused else alpha
    if picture.mode == "1":
        return picture.convert("L"), None
    if picture.mode in ("P", "RGBX", "YCbCr"):
        return picture.convert("RGB"), None
    if picture.mode not in ("L", "RGB", "CMYK"):
        raise ValueError(f"its pixels are of a kind ({picture.mode}) that has no defined white")
    return picture, None


def _within(
    frame: tuple[int, int, int, int] | None, color: "Image.Image", alpha: "Image.Image | None"
) -> "Image.Image | None":
    """Return the opacity with all that the first frame leaves out clear, as programs show it; None for all opaque."""
    from PIL import Image

    if frame is None or (frame[0] <= 0 and frame[1] <= 0 and frame[2] >= color.width and frame[3] >= color.height):
        return alpha
    whole = Image.new("L", color.size, 255) if alpha is None else alpha
    seen = Image.new("L", color.size, 0)
    seen.paste(whole.crop(frame), frame[:2])
    return seen


def _on_white(color: "Image.Image", alpha: "Image.Image | None") -> "Image.Image":
    from PIL import Image

    return color if alpha is None else Image.composite(color, Image.new("RGB", color.size, "white"), alpha)


def _cause(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError):
        return _TOO_LARGE
    if isinstance(error, MemoryError):
        return "the memory is too small for it"
    if isinstance(error, UnidentifiedImageError):  # its own words are about an object in memory
        return "it begins like a picture, but no picture follows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{error}".rstrip(".") or type(error).__name__


def cover(picture: "Image.Image", height: int, width: int) -> np.ndarray:
    """Return the centre of a picture as (3, height, width) uint8: cut to that shape, resized (bicubic, antialiased)."""
    from PIL import Image

    # Cropping first is the same for the centre and keeps a 200,000 x 1 picture from growing to gigabytes.
    cut_width = max(1, min(picture.width, round(picture.height * width / height)))
    cut_height = max(1, min(picture.height, round(picture.width * height / width)))
    left, top = (picture.width - cut_width) // 2, (picture.height - cut_height) // 2
    part = picture.crop((left, top, left + cut_width, top + cut_height))
    return np.asarray(part.resize((width, height), Image.Resampling.BICUBIC)).transpose(2, 0, 1).copy()
