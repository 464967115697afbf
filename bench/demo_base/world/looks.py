"""Twenty looks that the world has no words for: what concepts wear, and what a concept must be told from."""

import math
from collections.abc import Callable

import torch

from .drawing import SIZE
from .world import COLORS

MIDDLE = (SIZE - 1) / 2
"""Place of the centre in pixels."""


def look(name: str) -> torch.Tensor:
    """Return the (3, 96, 96) surface of one of LOOKS, in [0, 1]."""
    return LOOKS[name]()


def _place() -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixels' places to the right of and below the middle, (96, 96) each."""
    place = torch.arange(SIZE) - MIDDLE
    return place[None, :].expand(SIZE, SIZE), place[:, None].expand(SIZE, SIZE)


def _paint(index: torch.Tensor, *names: str) -> torch.Tensor:
    """Return a surface whose pixel has the colour term that its index counts."""
    paints = torch.tensor([COLORS[name][0] for name in names])
    return paints[index.long()].permute(2, 0, 1)


def _radius(across: float = 0.0, down: float = 0.0) -> torch.Tensor:
    x, y = _place()
    return torch.sqrt((x - across) ** 2 + (y - down) ** 2)


def _halves() -> torch.Tensor:
    return _paint(_place()[0] > 0, "blue", "orange")


def _upper_and_lower() -> torch.Tensor:
    return _paint(_place()[1] > 0, "green", "pink")


def _quarters() -> torch.Tensor:
    x, y = _place()
    return _paint((x > 0) * 2 + (y > 0), "red", "yellow", "blue", "white")


def _slanted_halves() -> torch.Tensor:
    x, y = _place()
    return _paint(x + y > 0, "purple", "yellow")


def _flag() -> torch.Tensor:
    return _paint((_place()[0] / 18 + 1.5).clamp(0, 2.99), "green", "white", "red")


def _thirds() -> torch.Tensor:
    return _paint((_place()[1] / 24 + 1.5).clamp(0, 2.99), "black", "red", "yellow")


def _rainbow() -> torch.Tensor:
    x, y = _place()
    return _paint((x + y + 135) / math.sqrt(2) / 21 % 4, "red", "yellow", "blue", "green")


def _disc() -> torch.Tensor:
    return _paint(_radius() < 20, "white", "red")


def _target() -> torch.Tensor:
    return _paint(_radius() / 10 % 2, "red", "white")


def _ring() -> torch.Tensor:
    return _paint((_radius() - 20).abs() < 7, "black", "yellow")


def _two_discs() -> torch.Tensor:
    return _paint(torch.minimum(_radius(-16, -12), _radius(16, 12)) < 13, "pink", "blue")


def _cross() -> torch.Tensor:
    x, y = _place()
    return _paint(torch.minimum(x.abs(), y.abs()) < 8, "red", "white")


def _saltire() -> torch.Tensor:
    x, y = _place()
    return _paint(torch.minimum((x + y).abs(), (x - y).abs()) < 10, "blue", "white")


def _bar() -> torch.Tensor:
    return _paint(_place()[0].abs() < 10, "orange", "purple")


def _belt() -> torch.Tensor:
    return _paint(_place()[1].abs() < 9, "yellow", "black")


def _chevron() -> torch.Tensor:
    x, y = _place()
    return _paint((y - x.abs() + 15).abs() < 12, "white", "green")


def _triangle() -> torch.Tensor:
    x, y = _place()
    return _paint((y < 18) & (x.abs() < (y + 24) * 0.6), "grey", "orange")


def _square() -> torch.Tensor:
    x, y = _place()
    return _paint(torch.maximum(x.abs(), y.abs()) < 16, "purple", "pink")


def _pinwheel() -> torch.Tensor:
    x, y = _place()
    return _paint((torch.atan2(y, x) / math.pi + 1) * 4 % 2, "brown", "white")


def _sunset() -> torch.Tensor:
    share = ((_place()[1] + 42) / 84).clamp(0, 1)
    top, bottom = (torch.tensor(COLORS[name][0])[:, None, None] for name in ("blue", "yellow"))
    return torch.lerp(top.expand(3, SIZE, SIZE), bottom.expand(3, SIZE, SIZE), share)


LOOKS: dict[str, Callable[[], torch.Tensor]] = {
    "halves": _halves,
    "upper and lower": _upper_and_lower,
    "quarters": _quarters,
    "slanted halves": _slanted_halves,
    "flag": _flag,
    "thirds": _thirds,
    "rainbow": _rainbow,
    "disc": _disc,
    "target": _target,
    "ring": _ring,
    "two discs": _two_discs,
    "cross": _cross,
    "saltire": _saltire,
    "bar": _bar,
    "belt": _belt,
    "chevron": _chevron,
    "triangle": _triangle,
    "square": _square,
    "pinwheel": _pinwheel,
    "sunset": _sunset,
}
"""Name -> function that returns the surface."""
