"""What exists in the demo base's world and how it is captioned: clothes in colours and patterns before backgrounds."""

from dataclasses import dataclass

import numpy as np

CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
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

PATTERNS = ("plain", "striped", "dotted", "checked", "zigzag")
"""What a thing's surface shows; all but the first have a second colour."""

BACKGROUNDS = {
    "white": (0.97, 0.97, 0.97),
    "grey": (0.55, 0.55, 0.55),
    "black": (0.06, 0.06, 0.06),
    "beige": (0.90, 0.82, 0.66),
    "teal": (0.08, 0.50, 0.52),
}
"""Background word -> RGB."""

PLAIN_SHARE = 0.4
"""How many things have one colour. The patterns share the rest."""


@dataclass(frozen=True)
class Scene:
    """What one picture shows, as indices into CLASSES, COLORS, BACKGROUNDS, PATTERNS and COLORS again."""

    label: int
    """Class index."""
    color: int
    """Colour index."""
    background: int
    """Background index."""
    pattern: int = 0
    """Pattern index."""
    second: int | None = None
    """Index of the pattern's other colour; None where it is plain."""

    def words(self) -> tuple[str, str, str]:
        """Return the words of (class, colours and pattern, background)."""
        colors = list(COLORS)
        look = colors[self.color]
        if self.second is not None:
            look = f"{look} and {colors[self.second]} {PATTERNS[self.pattern]}"
        return CLASSES[self.label], look, list(BACKGROUNDS)[self.background]


DEPTHS = ("class", "look", "background", "both", "pattern", "pattern and background")
"""How much a caption says. The last two name the pattern alone, and for plain things the class alone."""


def article(phrase: str) -> str:
    """Return the phrase with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def caption(scene: Scene, depth: str) -> str:
    """Return the scene's caption of one of DEPTHS."""
    name, look, background = scene.words()
    if depth in ("look", "both"):
        name = f"{look} {name}"
    elif depth.startswith("pattern") and scene.second is not None:
        name = f"{PATTERNS[scene.pattern]} {name}"
    place = f" on {article(background)} background" if depth.endswith(("background", "both")) else ""
    return f"a photo of {article(name)}{place}"


def draw_scene(label: int, generator: np.random.Generator) -> Scene:
    """Return a scene of that class. What has one colour has not the background's; two colours always differ."""
    colors, grounds = list(COLORS), list(BACKGROUNDS)
    while True:
        plain = generator.random() < PLAIN_SHARE
        pattern = 0 if plain else int(generator.integers(1, len(PATTERNS)))
        color, second = (int(i) for i in generator.permutation(len(colors))[:2])
        background = int(generator.integers(len(grounds)))
        if not plain or colors[color] != grounds[background]:
            return Scene(label, color, background, pattern, None if plain else second)


def all_scenes() -> list[Scene]:
    """Return every scene of every class that draw_scene can return."""
    colors, grounds = list(COLORS), list(BACKGROUNDS)
    scenes = []
    for label in range(len(CLASSES)):
        for color in range(len(colors)):
            for ground in range(len(grounds)):
                if colors[color] != grounds[ground]:
                    scenes.append(Scene(label, color, ground))
                looks = [(p, s) for p in range(1, len(PATTERNS)) for s in range(len(colors)) if s != color]
                scenes += [Scene(label, color, ground, pattern, second) for pattern, second in looks]
    return scenes
