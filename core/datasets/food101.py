"""Food-101: dishes as people photographed them (Bossard, Guillaumin and Van Gool, 2014). The test list is read.

`food-101.tar.gz`, unpacked, is food-101: images/apple_pie/1005649.jpg, and meta/test.json, which lists for each class
the pictures as `apple_pie/1005649`.
"""

import json
from pathlib import Path

from ..foreign import Advice, foreign
from .dataset import Dataset, Published
from .images.labelled import LabelledImages
from .images.layout import IMAGES, Listed, content, part, place, read_listed, require_place, wrong
from .images.subset import Choose
from .protocol import Protocol, rounds

_LIST = "meta/test.json"
_LAYOUT = f"Food-101: images and {_LIST}"


def _place(folder: Path) -> Path | None:
    return place(folder, ("food-101",), ("images", _LIST))


def read_food101(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen test pictures of each dish; raise UsageError where lists or pictures are not the set's."""
    found = require_place(_place(folder), folder, _LAYOUT)
    path = found / _LIST
    raw = content(path)
    with foreign(f"{path} cannot be read as JSON", Advice(settings=(IMAGES,))):
        table = json.loads(raw)
    if not isinstance(table, dict) or len(table) < 2 or not all(isinstance(v, list) for v in table.values()):
        raise wrong(path, "it is no table of at least two classes and their pictures")
    listed = []
    for label, dish in enumerate(sorted(table)):
        for name in table[dish]:
            place_of, _, picture = str(name).partition("/")
            picture = part(picture, path)
            listed.append(Listed(found / "images" / part(place_of, path) / f"{picture}.jpg", str(name), label))
    return read_listed(listed, [dish.replace("_", " ") for dish in sorted(table)], side, choose)


DATASET = Dataset(
    name="food101",
    layout=_LAYOUT,
    is_in=lambda folder: _place(folder) is not None,
    read=read_food101,
    published=Published(
        title="Food-101",
        home="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
        archives=(("food-101.tar.gz", "85eeb15f3717b99a5da872d97d918f87"),),
        licence="The pictures are Foodspotting's and its users'; any use beyond scientific fair use is to be "
        "negotiated with their owners.",
        protocol=Protocol(101, "a photo of {name}, a type of food.", rounds((20, 50, 100, 500), (20, 10, 5, 1)), "l2"),
    ),
)
