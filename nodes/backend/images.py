"""ComfyUI's IMAGE batches, float (N, H, W, 3) of 0 to 1, as the uint8 images (N, 3, H, W) that `core` takes."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import UsageError
from ...core.pictures import open_picture

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image


def to_bytes(images: "torch.Tensor") -> "torch.Tensor":
    """Return an IMAGE batch as uint8 (N, 3, H, W): transparency is dropped, grey repeated.

    Raises UsageError for numbers that are not finite, which bytes would hide.
    """
    import torch

    pixels = images.detach().cpu()[..., :3].movedim(-1, 1)
    if not torch.isfinite(pixels).all():
        raise UsageError("The images contain NaN or infinite values, so nothing can be compared.")
    if pixels.shape[1] < 3:
        pixels = pixels[:, :1].expand(-1, 3, -1, -1)
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8).contiguous()


def from_pictures(pictures: "Iterable[Image]") -> "torch.Tensor":
    """Return RGB pictures of one size as an IMAGE batch."""
    import numpy as np
    import torch

    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).float() / 255


def read_pictures(paths: "Iterable[Path]") -> "torch.Tensor":
    """Return picture files of one size as an IMAGE batch; raise UsageError that names one which cannot be read."""
    return from_pictures(map(open_picture, paths))


def square(images: "torch.Tensor", side: int) -> "np.ndarray":
    """Return an IMAGE batch as uint8 (N, 3, side, side): centre cut out, resized (bicubic, antialiased)."""
    import torch.nn.functional

    pixels = to_bytes(images).float()
    height, width = pixels.shape[-2:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    pixels = pixels[..., top : top + short, left : left + short]
    if short != side:
        pixels = torch.nn.functional.interpolate(pixels, (side, side), mode="bicubic", antialias=True)
    return pixels.round().clamp(0, 255).to(torch.uint8).numpy()


def require_batch(images: "torch.Tensor | None", name: str) -> "torch.Tensor":
    """Return the images; raise UsageError that names the input if there are none."""
    if images is None or not len(images):
        raise UsageError(f"{name} has no images; connect an IMAGE batch.")
    return images
