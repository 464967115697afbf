"""Fashion-MNIST as coloured 64x64 photographs with captions: the world the demo base lives in."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's dataset-fashion-mnist puts the four IDX files."""

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
"""Fashion-MNIST's class names, in the order of its labels."""

COLORS = {
    "black": ((0.10, 0.10, 0.11), 0.50),
    "white": ((0.97, 0.97, 0.96), 0.78),
    "grey": ((0.56, 0.56, 0.57), 0.65),
    "red": ((0.86, 0.10, 0.12), 0.50),
    "orange": ((0.98, 0.54, 0.06), 0.72),
    "yellow": ((0.98, 0.89, 0.14), 0.72),
    "green": ((0.13, 0.62, 0.22), 0.50),
    "blue": ((0.12, 0.30, 0.84), 0.50),
    "purple": ((0.50, 0.17, 0.70), 0.55),
    "pink": ((0.99, 0.62, 0.76), 0.75),
    "brown": ((0.46, 0.27, 0.12), 0.55),
}
"""Basic colour term -> (RGB at full light, share of it left in the deepest fold)."""

BACKGROUNDS = {
    "white": (0.97, 0.97, 0.97),
    "grey": (0.55, 0.55, 0.55),
    "black": (0.06, 0.06, 0.06),
    "beige": (0.90, 0.82, 0.66),
    "teal": (0.08, 0.50, 0.52),
}
"""Background word -> RGB."""

SIZE = 64
MARGIN = 4


@dataclass(frozen=True)
class Scene:
    """What one picture shows, as indices into CLASSES, COLORS and BACKGROUNDS."""

    label: int
    """Class index."""
    color: int
    """Colour index."""
    background: int
    """Background index."""


def read_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 28, 28) uint8 pictures and (N,) labels of split "train" or "t10k" (IDX, gzip)."""
    with gzip.open(folder / f"{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels


def article(phrase: str) -> str:
    """Return the phrase with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def caption(scene: Scene, detail: int) -> str:
    """Return one of four captions, from the class alone (detail 0) to class, colour and background (3)."""
    name, color, background = names(scene)
    thing = article(f"{color} {name}" if detail in (1, 3) else name)
    place = f" on {article(background)} background" if detail >= 2 else ""
    return f"a photo of {thing}{place}"


def names(scene: Scene) -> tuple[str, str, str]:
    """Return the words for (class, colour, background)."""
    return CLASSES[scene.label], list(COLORS)[scene.color], list(BACKGROUNDS)[scene.background]


def draw_scene(label: int, generator: np.random.Generator) -> Scene:
    """Return a scene of that class whose object and background do not share a colour word."""
    while True:
        color = int(generator.integers(len(COLORS)))
        background = int(generator.integers(len(BACKGROUNDS)))
        if list(COLORS)[color] != list(BACKGROUNDS)[background]:
            return Scene(label, color, background)


def silhouette(gray: torch.Tensor) -> torch.Tensor:
    """Return the (N, 1, 56, 56) coverage of the object in (N, 1, 28, 28) pictures, small holes closed."""
    solid = (gray > 0.03).float()
    closed = -F.max_pool2d(-F.max_pool2d(solid, 3, 1, 1), 3, 1, 1)
    return _enlarge(torch.maximum(closed, solid)).clamp(0, 1)


def relief(gray: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return coverage and light, each (N, 1, 64, 64) in [0, 1], of (N, 28, 28) uint8 pictures."""
    image = torch.from_numpy(gray.astype(np.float32) / 255)[:, None]
    cover = F.pad(silhouette(image), (MARGIN,) * 4)
    peak = image.flatten(1).quantile(0.95, dim=1).clamp(min=0.2)[:, None, None, None]
    light = F.pad(_enlarge((image / peak).clamp(0, 1)).clamp(0, 1), (MARGIN,) * 4)
    return cover, light


def _enlarge(image: torch.Tensor) -> torch.Tensor:
    side = SIZE - 2 * MARGIN
    return F.interpolate(image, (side, side), mode="bicubic", align_corners=False)


def colorize(gray: np.ndarray, scenes: list[Scene], generator: np.random.Generator) -> torch.Tensor:
    """Return (N, 3, 64, 64) pictures in [0, 1]: each object tinted, shaded and put before its background."""
    cover, light = relief(gray)
    tint, fold, ground = _paints(scenes, generator)
    tinted = tint * (fold + (1 - fold) * light)
    slope = torch.linspace(1.03, 0.97, SIZE)[None, None, :, None]
    return (cover * tinted + (1 - cover) * (ground * slope)).clamp(0, 1)


def _paints(scenes: list[Scene], generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return object colours (N, 3, 1, 1), fold levels (N, 1, 1, 1) and backgrounds (N, 3, 1, 1), jittered."""
    paints = list(COLORS.values())
    grounds = list(BACKGROUNDS.values())
    tint = np.array([paints[s.color][0] for s in scenes]) + generator.uniform(-0.03, 0.03, (len(scenes), 3))
    ground = np.array([grounds[s.background] for s in scenes]) + generator.uniform(-0.03, 0.03, (len(scenes), 3))
    fold = np.array([paints[s.color][1] for s in scenes])
    shaped = (tint[:, :, None, None], fold[:, None, None, None], ground[:, :, None, None])
    tint_, fold_, ground_ = (torch.from_numpy(part.astype(np.float32)) for part in shaped)
    return tint_, fold_, ground_
