"""FGVC-Aircraft: 100 variants of aircraft (Maji, Rahtu, Kannala, Blaschko and Vedaldi, 2013). The test list is read.

`fgvc-aircraft-2013b.tar.gz`, unpacked, has in fgvc-aircraft-2013b/data: images/0034309.jpg, variants.txt, and
images_variant_test.txt, whose lines are `0034309 707-320`: picture, then variant to the end of the line.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from .dataset import Dataset, Published
from .images.labelled import LabelledImages
from .images.layout import Listed, lines, part, place, read_listed, require_place, wrong
from .images.subset import Choose
from .protocol import Protocol, rounds

if TYPE_CHECKING:
    from PIL import Image

BANNER = 20
"""Rows at the bottom of every picture that say whose it is. The set's authors ask that they are cut off before it is
used; torchvision's loader leaves them on."""
_NAMES, _LIST = "variants.txt", "images_variant_test.txt"
_LAYOUT = f"FGVC-Aircraft: images, {_NAMES} and {_LIST}"


def _place(folder: Path) -> Path | None:
    return place(folder, ("data", "fgvc-aircraft-2013b/data"), ("images", _NAMES, _LIST))


def read_aircraft(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen test pictures of each variant; raise UsageError where lists or pictures are not the set's."""
    found = require_place(_place(folder), folder, _LAYOUT)
    variants = lines(found / _NAMES)
    if len(set(variants)) < max(2, len(variants)):
        raise wrong(found / _NAMES, "it does not name at least two variants, each once")
    labels = {variant: label for label, variant in enumerate(variants)}
    path, listed = found / _LIST, []
    for line in lines(path):
        picture, _, variant = line.partition(" ")
        if variant not in labels:
            raise wrong(path, f"a picture is of a variant that {_NAMES} does not name")
        listed.append(Listed(found / "images" / f"{part(picture, path)}.jpg", picture, labels[variant]))
    return read_listed(listed, variants, side, choose, _without_banner)


def _without_banner(picture: "Image.Image") -> "Image.Image":
    return picture.crop((0, 0, picture.width, max(1, picture.height - BANNER)))


DATASET = Dataset(
    name="aircraft",
    layout=_LAYOUT,
    is_in=lambda folder: _place(folder) is not None,
    read=read_aircraft,
    published=Published(
        title="FGVC-Aircraft",
        home="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
        archives=(("fgvc-aircraft-2013b.tar.gz", "d4acdd33327262359767eeaa97a4f732"),),
        licence="The pictures are made available for non-commercial research only; their photographers keep the "
        "copyright.",
        protocol=Protocol(
            100, "a photo of a {name}, a type of aircraft.", rounds((20, 50, 100, 500), (20, 10, 5, 1)), "l2"
        ),
    ),
)
