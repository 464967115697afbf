"""Oxford Flowers 102: flowers of the United Kingdom (Nilsback and Zisserman, 2008). The test list is read.

`102flowers.tgz`, unpacked, is jpg/image_00001.jpg and so on; beside jpg lie `imagelabels.mat` (the class of each
picture, from 1) and `setid.mat` (`tstid`: the numbers of the test pictures), as torchvision keeps them in flowers-102.
"""

import io
from pathlib import Path

import numpy as np

from ..foreign import Advice, foreign
from .dataset import Dataset, Published
from .images.labelled import LabelledImages
from .images.layout import IMAGES, Listed, content, place, read_listed, require_place, wrong
from .images.subset import Choose
from .protocol import Protocol, rounds

_NAMES = """
    pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold, tiger lily, moon orchid,
    bird of paradise, monkshood, globe thistle, snapdragon, colt's foot, king protea, spear thistle, yellow iris,
    globe flower, purple coneflower, peruvian lily, balloon flower, giant white arum lily, fire lily,
    pincushion flower, fritillary, red ginger, grape hyacinth, corn poppy, prince of wales feathers, stemless gentian,
    artichoke, sweet william, carnation, garden phlox, love in the mist, mexican aster, alpine sea holly,
    ruby-lipped cattleya, cape flower, great masterwort, siam tulip, lenten rose, barbeton daisy, daffodil, sword lily,
    poinsettia, bolero deep blue, wallflower, marigold, buttercup, oxeye daisy, common dandelion, petunia, wild pansy,
    primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium, orange dahlia, pink and yellow dahlia,
    cautleya spicata, japanese anemone, black-eyed susan, silverbush, californian poppy, osteospermum, spring crocus,
    bearded iris, windflower, tree poppy, gazania, azalea, water lily, rose, thorn apple, morning glory,
    passion flower, lotus, toad lily, anthurium, frangipani, clematis, hibiscus, columbine, desert-rose, tree mallow,
    magnolia, cyclamen, watercress, canna lily, hippeastrum, bee balm, air plant, foxglove, bougainvillea, camellia,
    mallow, mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily"""
CLASSES = tuple(" ".join(name.split()) for name in _NAMES.split(","))
"""In the order of the labels, which no file of the set says; the names are those of the Diffusion Classifier's prompts,
from which the set's own page differs in a few."""
_LABELS, _SETS = "imagelabels.mat", "setid.mat"
_LAYOUT = f"Oxford Flowers 102: jpg, {_LABELS} and {_SETS}"
_MOST = 1 << 16
"""Bytes of a .mat file that are believed: the longer has 15,000. What it packs is then at most 64 MiB."""


def _place(folder: Path) -> Path | None:
    return place(folder, ("flowers-102",), ("jpg", _LABELS, _SETS))


def read_flowers102(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen test pictures of each class; raise UsageError where lists or pictures are not the set's."""
    found = require_place(_place(folder), folder, _LAYOUT)
    labels, tests = _numbers(found / _LABELS, "labels"), _numbers(found / _SETS, "tstid")
    if labels.min() < 1 or labels.max() > len(CLASSES):
        raise wrong(found / _LABELS, f"labels {labels.min()} to {labels.max()} where there are {len(CLASSES)} classes")
    if tests.min() < 1 or tests.max() > len(labels):
        raise wrong(found / _SETS, f"it names the picture {tests.max()} of {len(labels)}")
    listed = [Listed(found / "jpg" / f"image_{i:05d}.jpg", f"{i:05d}", int(labels[i - 1]) - 1) for i in map(int, tests)]
    return read_listed(listed, CLASSES, side, choose)


def _numbers(path: Path, name: str) -> np.ndarray:
    """Return the whole numbers that a MATLAB file holds under a name."""
    from scipy.io import loadmat

    raw = content(path, _MOST)
    with foreign(f"{path} cannot be read as a MATLAB file", Advice(settings=(IMAGES,))):
        found = np.asarray(loadmat(io.BytesIO(raw), variable_names=[name])[name]).ravel()
    if found.dtype.kind not in "iu" or not len(found):
        raise wrong(path, f"{name} is no list of whole numbers")
    return found.astype(int)


DATASET = Dataset(
    name="flowers102",
    layout=_LAYOUT,
    is_in=lambda folder: _place(folder) is not None,
    read=read_flowers102,
    published=Published(
        title="Oxford Flowers 102",
        home="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        archives=(
            ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
            ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
            ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
        ),
        licence="Its authors state no licence.",
        protocol=Protocol(
            len(CLASSES), "a photo of a {name}, a type of flower.", rounds((20, 50, 100, 500), (20, 10, 5, 1)), "l1"
        ),
    ),
)
