"""ObjectNet: things in homes, in any pose and place (Barbu et al., 2019); the 113 classes that ImageNet has as well.

`objectnet-1.0.zip`, unpacked, is objectnet-1.0: images/alarm_clock/*.png, and in mappings
folder_to_objectnet_label.json and objectnet_to_imagenet_1k.json, whose keys are the labels of the 113.

Its licence has two clauses of its own. It may never be used to tune the parameters of any model: nothing here trains on
labelled images, and a training refuses a folder of it. Its pictures may be posted to the web only with their red
border of one pixel: the border tells who trained on them, so it is cut off here before a model sees them, and no
report shows labelled images.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..disk.files import is_folder, listing
from ..foreign import Advice, foreign
from ..pictures import SUFFIXES
from .dataset import Dataset, Published
from .images.labelled import LabelledImages
from .images.layout import IMAGES, Listed, content, part, place, read_listed, require_place, wrong
from .images.subset import Choose
from .protocol import Protocol, rounds

if TYPE_CHECKING:
    from PIL import Image

BORDER = 2
"""Pixels that are cut off each side: the red one, and its neighbour, as the Diffusion Classifier's authors do."""
_LABELS, _COMMON = "mappings/folder_to_objectnet_label.json", "mappings/objectnet_to_imagenet_1k.json"
_LAYOUT = f"ObjectNet: images, {_LABELS} and {_COMMON}"


def _place(folder: Path) -> Path | None:
    return place(folder, ("objectnet-1.0",), ("images", _LABELS, _COMMON))


def read_objectnet(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen pictures of each class that ImageNet has too, without their border.

    Raises UsageError where mappings or pictures are not the set's.
    """
    found = require_place(_place(folder), folder, _LAYOUT)
    labels, common = _table(found / _LABELS), _table(found / _COMMON)
    folders = sorted(name for name, label in labels.items() if label in common)
    names = [labels[name].lower() for name in folders]
    if len(set(names)) < max(2, len(names)):
        raise wrong(found / _COMMON, "with it, the mappings do not name at least two classes, each once")
    listed = [one for label, name in enumerate(folders) for one in _pictures(found, name, label)]
    return read_listed(listed, names, side, choose, _without_border)


def _table(path: Path) -> dict[str, str]:
    raw = content(path)
    with foreign(f"{path} cannot be read as JSON", Advice(settings=(IMAGES,))):
        table = json.loads(raw)
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise wrong(path, "it is no table of names")
    return table


def _pictures(found: Path, name: str, label: int) -> list[Listed]:
    place_of = found / "images" / part(name, found / _LABELS)
    files = listing(place_of) if is_folder(place_of) else []
    return [Listed(file, f"{name}/{file.name}", label) for file in files if file.suffix.lower() in SUFFIXES]


def _without_border(picture: "Image.Image") -> "Image.Image":
    if min(picture.size) <= 2 * BORDER:
        return picture
    return picture.crop((BORDER, BORDER, picture.width - BORDER, picture.height - BORDER))


DATASET = Dataset(
    name="objectnet",
    layout=_LAYOUT,
    is_in=lambda folder: _place(folder) is not None,
    read=read_objectnet,
    published=Published(
        title="ObjectNet",
        home="https://objectnet.dev",
        archives=(("objectnet-1.0.zip", ""),),
        licence="Its licence forbids to tune the parameters of any model with it, and to post its pictures to the web "
        "without their red border; otherwise it is Creative Commons Attribution 4.0.",
        protocol=Protocol(113, "a photo of a {name}.", rounds((50, 100, 500, 1000), (25, 10, 5, 1)), "l2"),
        untrainable=_place,
    ),
)
