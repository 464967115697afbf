"""Which way the hue of things of a basic colour term turned. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hue:
    """Where a colour term lies on the circle of hues of CIELAB."""

    angle: float
    """Degrees from a* towards b*, of its typical colours."""
    on: str
    """Term that lies further on, as angles grow."""
    back: str
    """Term on its other side."""


HUES = {
    "red": Hue(35.0, "orange", "pink"),
    "green": Hue(140.0, "blue", "yellow"),
    "yellow": Hue(95.0, "green", "orange"),
    "blue": Hue(275.0, "purple", "green"),
    "brown": Hue(60.0, "yellow", "red"),
    "orange": Hue(65.0, "yellow", "red"),
    "pink": Hue(0.0, "red", "purple"),
    "purple": Hue(315.0, "pink", "blue"),
}
"""Term -> its hue; black, white and gray have none."""

_SHARPNESS = 4
"""Power of the cosine by which hues beside the middle count: a half at 33 degrees, about the distance of two terms."""
_FAINT = 1.0
"""Mean chroma below which there is no hue: a difference of 1 is not seen."""
_FARTHEST = 45.0
"""Turn in degrees beyond which what is found is another colour and not this one, turned."""
_ROUNDS, _STILL = 200, 1e-8
"""Most rounds, and the turn in radians that ends them: far below the differences that a jackknife takes."""

Palettes = Sequence[np.ndarray]
"""A palette (M, 3) of each prompt; see `color_look`."""


def middle(palettes: Palettes, neutral: complex, start: float) -> float | None:
    """Return the hue in radians on which colours near `start` centre; None where there is next to none.

    `neutral` is the a* + i b* that counts as colourless. The mean is weighted by chroma, and by nearness to itself, so
    that other hues have no part in it, and that all of it turns with the colours.
    """
    plane = np.concatenate(palettes)
    colors, shares = plane[:, 0] + 1j * plane[:, 1] - neutral, plane[:, 2] / len(palettes)
    units = colors / np.maximum(np.abs(colors), 1e-12)
    angle = start
    for _ in range(_ROUNDS):
        near = (units * np.exp(-1j * angle)).real.clip(0) ** _SHARPNESS
        total = complex((shares * near * colors).sum())
        if abs(total) < _FAINT:
            return None
        turn = float(np.angle(total * np.exp(-1j * angle)))
        angle += turn
        if abs(turn) < _STILL:
            break
    return angle


def turn_of(before: float, after: float | None) -> float | None:
    """Return by how many degrees a hue turned, from its middles in radians; None where it is not found any more."""
    if after is None:
        return None
    turn = float(np.degrees(np.angle(np.exp(1j * (after - before)))))
    return turn if abs(turn) <= _FARTHEST else None


def turn_without(
    term: str, base: Palettes, tuned: Palettes, neutral: complex, without: Sequence[tuple[int | None, complex]]
) -> tuple[float | None, list[float | None]]:
    """Return by how many degrees a term's hue turned from base to tuned, and the same without one prompt or another.

    `without` says for each of these which place of the palettes is left out, or None where it is no place of theirs,
    and the neutral point of the tuned model's colours then.
    """
    before = middle(base, 0j, np.radians(HUES[term].angle))
    if before is None:
        return None, []
    after = middle(tuned, neutral, before)
    if after is None:
        return None, []
    turns = []
    for place, point in without:
        kept = [i for i in range(len(base)) if i != place]
        first = before if place is None else middle([base[i] for i in kept], 0j, before)
        second = middle([tuned[i] for i in kept], point, after)
        turns.append(None if first is None else turn_of(first, second))
    return turn_of(before, after), turns
