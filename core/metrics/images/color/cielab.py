"""CIELAB colours of sRGB pixels, and the basic colour term that names each."""

from functools import lru_cache

import numpy as np
import torch

from .color_terms import TERMS

_TO_XYZ = (
    (0.41239079926595934, 0.357584339383878, 0.1804807884018343),
    (0.21263900587151027, 0.715168678767756, 0.07219231536073371),
    (0.01933081871559182, 0.11919477979462598, 0.9505321522496607),
)
"""Linear sRGB to XYZ, solved from the primaries and white (0.3127, 0.3290) of IEC 61966-2-1: D65, 2 degrees.

Its row sums are the white point, so that grays have exactly no chroma.
"""

_PROTOTYPES = {
    "black": "000000 0c0c0c 1a1a1a 282828 0a0a1c 1c0a0a 0a1c0a 1c140a 140a1c",
    "white": "ffffff f4f4f4 e9e9e9 fffaf0 f0f6ff f8fff4 fff6f8",
    "gray": "404040 585858 707070 888888 a0a0a0 b8b8b8 cccccc 5a6068 808890 908880 a8b0b8 b4aea6",
    "red": "ff0000 e60012 dc143c c81e1e b41414 960a0a 780000 e03c32 ff3030 580808",
    "green": "00ff00 00c800 009600 006400 004000 228b22 32cd32 7cfc00 3cb371 2e8b57 6b8e23 556b2f 90ee90 "
    "9acd32 00ff7f 98fb98 00a878 8fbc8f 1e3c14 5a7850 66a060 a8d8a0 006450 3c6450",
    "yellow": "ffff00 ffe600 ffd700 f0dc3c fff04b ffff80 ffffb0 e6d200 c8b400 d8c850 ffe680 f0e68c",
    "blue": "0000ff 0000c8 000096 000064 1e3cdc 1e90ff 4169e1 00bfff 6495ed 87ceeb add8e6 00ffff 40e0d0 "
    "008cb4 004a80 4682b4 5f8caa 008b9c a0c8f0 7090c0 203050 14285a 3c5078 afeeee 00ced1 00afd0 "
    "4b6eaf 1a3cb0 14308c 2828b4 3c3cc8 3c50b4 5050e0 0000b0 000078 000050 1e1e82 0a3c46 0a2832 "
    "5a6eb4 8296dc 3232a0",
    "brown": "8b4513 a0522d 6b4423 5a3214 964b00 7b3f00 4b2d14 704214 7a5c3c 8b6b4a a5734b 3c2010 aa7850 "
    "5c4630 8c5a28 966432 c8ad86 a8926e 8c7a60 2a160a",
    "orange": "ff8000 ffa500 ff8c00 ff6a00 e67300 f08232 ff9b4b ffb347 d2691e e69628 ffb366 ff5a14",
    "pink": "ffc0cb ffb6c1 ff69b4 ff1493 ff8cb4 f5a0b4 ffa0a0 e66496 ffd2dc fa8072 ff82ab db7093 e07898 "
    "f4c2c2 ff00a0 ffaad2 e6b0b8 ff9a8c b4788c c08090",
    "purple": "800080 a020f0 9932cc 6a0dad 4b0082 8a2be2 9370db ba55d3 c8a2c8 dda0dd ff00ff da70d6 7828a0 "
    "c000c0 301040 502060 8c64a0 aa8cc8 7850c8 d8bfd8 8b008b 6a5acd 643c78 b496dc 9a4a9a 7e4f64",
}
"""Term -> sRGB colours that people call so, dark and pale ones too; a pixel takes the term of its nearest."""

_CHUNK = 1 << 16
"""Pixels named at a time: about 100 MB of distances."""


def lab_pixels(images: torch.Tensor) -> torch.Tensor:
    """Return the (N, 3) CIELAB pixels (sRGB, D65, 2 degrees) of uint8 images (..., 3, H, W), same device."""
    # 256 values per channel make the slow power a table look-up.
    linear = _linear(precision(images.device), images.device)[images.movedim(-3, -1).reshape(-1, 3).int()]
    to_xyz = torch.tensor(_TO_XYZ, dtype=linear.dtype, device=linear.device)
    return _lab(linear @ (to_xyz / to_xyz.sum(1, keepdim=True)).T)


def precision(device: torch.device) -> torch.dtype:
    """Return float64, or float32 where the device has nothing better."""
    return torch.float32 if device.type == "mps" else torch.float64


def name_shares(lab: torch.Tensor) -> np.ndarray:
    """Return the (11,) share of CIELAB pixels (N, 3) that each of TERMS names."""
    prototypes, owners = _prototypes()
    prototypes = prototypes.to(lab)
    counts = np.zeros(len(TERMS))
    for pixels in lab.split(_CHUNK):
        nearest = torch.cdist(pixels, prototypes, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
        counts += np.bincount(owners[nearest.cpu().numpy()], minlength=len(TERMS))
    return counts / len(lab)


def _linear(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return the (256,) linear intensity of each sRGB byte."""
    encoded = torch.arange(256, dtype=dtype, device=device) / 255
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _lab(xyz: torch.Tensor) -> torch.Tensor:
    """Return CIELAB (N, 3) of XYZ (N, 3) relative to white (CIE 15)."""
    root = xyz.clamp_min(0) ** (1 / 3)
    f = torch.where(xyz > (6 / 29) ** 3, root, xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


@lru_cache(maxsize=1)
def _prototypes() -> tuple[torch.Tensor, np.ndarray]:
    """Return (M, 3) CIELAB prototypes and the (M,) index of each one's term."""
    colors = [(bytes.fromhex(color), TERMS.index(term)) for term in TERMS for color in _PROTOTYPES[term].split()]
    rgb = torch.tensor([list(color) for color, _ in colors], dtype=torch.uint8)
    return lab_pixels(rgb.T[:, :, None]), np.array([owner for _, owner in colors])
