"""CIEDE2000: how different people find two colours, better than CIELAB's plain distance (CIE 142; Sharma et al., 2005).

No torch.
"""

import numpy as np


def ciede2000(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the differences (...,) of CIELAB colours (..., 3), its weights 1; about 1 is just noticeable."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(lab, np.float64), -1, 0) for lab in (one, other))
    # Near gray a* counts for more.
    stretch = 1.5 - _saturated((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) / 2
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, stretch * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn, hue = _turn(h1, h2), _mean_hue(h1, h2)
    gray = c1 * c2 == 0  # without a hue of its own it has the other's
    turn, hue = np.where(gray, 0.0, turn), np.where(gray, h1 + h2, hue)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    weight = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.20 * _cos(4 * hue - 63)
    middle = (lightness - 50) ** 2
    of_lightness = (l2 - l1) / (1 + 0.015 * middle / np.sqrt(20 + middle))
    of_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    of_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2) / (1 + 0.015 * chroma * weight)
    blue = np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    rotation = -2 * _saturated(chroma) * blue
    return np.sqrt(of_lightness**2 + of_chroma**2 + of_hue**2 + rotation * of_chroma * of_hue)


def _saturated(chroma: np.ndarray) -> np.ndarray:
    return np.sqrt(chroma**7 / (chroma**7 + 25.0**7))


def _cos(degrees: np.ndarray) -> np.ndarray:
    return np.cos(np.radians(degrees))


def _turn(h1: np.ndarray, h2: np.ndarray) -> np.ndarray:
    """Return the way from one hue of 0 to 360 degrees to the other, the short way round."""
    turn = h2 - h1
    return np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn))


def _mean_hue(h1: np.ndarray, h2: np.ndarray) -> np.ndarray:
    """Return the middle of two hues of 0 to 360 degrees, the short way round."""
    middle = (h1 + h2) / 2
    return np.where(np.abs(h1 - h2) > 180, middle + np.where(middle < 180, 180.0, -180.0), middle)
