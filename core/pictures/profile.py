"""Colours through the profile that a picture carries, to sRGB."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

_SPACES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}
_HEADER = 128
"""Bytes of the header of an ICC profile; a whole one is longer."""
_LEVELS = np.linspace(0, 255, 9).round().astype(np.uint8)
"""Nine levels of each channel, black and white among them, show what a profile does."""


def to_srgb(picture: "Image", profile: bytes) -> "Image":
    """Return a picture in L, RGB or CMYK as RGB, its colours through the profile (perceptual, as Pillow's default).

    A profile that is broken, or is one for other channels than the picture has, is left out: its numbers are then
    taken as sRGB. Raises ValueError where Pillow was built without LittleCMS.
    """
    from PIL import features

    size = int.from_bytes(profile[:4], "big")  # bytes after it are none of the profile's
    fits = profile[16:20] == _SPACES[picture.mode] and profile[36:40] == b"acsp" and _HEADER < size <= len(profile)
    if not fits:
        return picture.convert("RGB")
    if not features.check("littlecms2"):
        raise ValueError("it has a colour profile, and this Pillow was built without LittleCMS; install Pillow anew")
    try:
        return _through(picture, profile[:size])
    except Exception:  # LittleCMS and Pillow around it refuse a broken profile in many ways
        return picture.convert("RGB")


def _through(picture: "Image", profile: bytes) -> "Image":
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), picture.mode, "RGB")
    if picture.mode == "RGB" and _is_srgb(transform):
        return picture
    changed = ImageCms.applyTransform(picture, transform)
    assert changed is not None
    return changed


def _is_srgb(transform: Any) -> bool:
    """Return whether no colour moves by more than one level: rounding, which would only blur what is exact."""
    from PIL import Image, ImageCms

    cube = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS), -1).reshape(27, 27, 3)
    changed = ImageCms.applyTransform(Image.fromarray(cube), transform)
    return bool(np.abs(np.asarray(changed, int) - cube).max() <= 1)
