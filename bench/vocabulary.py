"""Write the vocabularies of the damage map that are facts about something else.

`python bench/vocabulary.py imagenet` writes the names of ImageNet's classes, as torchvision lists them for its
classifiers; `python bench/vocabulary.py demo` writes what the demo base's world can show.
"""

import sys
from collections.abc import Iterable

import checkout  # noqa: F401
from owf.core.plan.vocabulary import FOLDER


def imagenet() -> str:
    """Return ImageNet's thousand names, one a line."""
    from torchvision.models import ResNet50_Weights

    names = ResNet50_Weights.DEFAULT.meta["categories"]
    return (
        "# The classes of ImageNet; `python bench/vocabulary.py imagenet` writes this file.\n" + "\n".join(names) + "\n"
    )


def demo(classes: Iterable[str], colors: Iterable[str], patterns: Iterable[str], backgrounds: Iterable[str]) -> str:
    """Return every class in each colour and pattern before each background; a second colour is the next one."""
    plain, *others = patterns
    looks = [f"{plain} =", *(f"{name} = and {{next colour}} {name}" for name in others)]
    return f"""# Everything that the demo base knows: each class in each colour and pattern before each background.
# `python bench/vocabulary.py demo` writes this file from its world.

[clothes] a photo of <{{a colour}} {{pattern}} {{class}} on {{a background}} background>
class: {", ".join(classes)}
colour: {", ".join(colors)}
pattern: {", ".join(looks)}
background: {", ".join(backgrounds)}
"""


if __name__ == "__main__":
    if sys.argv[1:] == ["imagenet"]:
        (FOLDER / "imagenet.txt").write_text(imagenet(), "utf-8")
    elif sys.argv[1:] == ["demo"]:
        from demo_base.world.world import BACKGROUNDS, CLASSES, COLORS, PATTERNS

        (FOLDER / "demo.txt").write_text(demo(CLASSES, COLORS, PATTERNS, BACKGROUNDS), "utf-8")
    else:
        sys.exit(__doc__)
