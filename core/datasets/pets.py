"""Oxford-IIIT Pets: 37 breeds of cats and dogs (Parkhi, Vedaldi, Zisserman and Jawahar, 2012). The test list is read.

`images.tar.gz` and `annotations.tar.gz`, unpacked side by side, as torchvision keeps them in oxford-iiit-pet. A line of
annotations/test.txt is `Abyssinian_201 1 1 1`: picture, breed from 1, species (1 a cat, 2 a dog), breed within it.
"""

from pathlib import Path

from ..foreign import Advice, foreign
from .dataset import Dataset, Published
from .images.labelled import LabelledImages
from .images.layout import IMAGES, Listed, lines, part, place, read_listed, require_place, wrong
from .images.subset import Choose
from .protocol import Protocol, rounds

BREEDS = 37
_LIST = "annotations/test.txt"
_LAYOUT = f"Oxford-IIIT Pets: images and {_LIST}"
_SPECIES = {1: "cat", 2: "dog"}


def _place(folder: Path) -> Path | None:
    return place(folder, ("oxford-iiit-pet",), ("images", _LIST))


def read_pets(folder: Path, side: int, choose: Choose) -> LabelledImages:
    """Return the chosen test pictures of each breed; raise UsageError where lists or pictures are not the set's."""
    found = require_place(_place(folder), folder, _LAYOUT)
    path = found / _LIST
    names: dict[int, str] = {}
    listed = []
    for line in lines(path):
        if line.startswith("#"):
            continue
        with foreign(f"{path} cannot be read as a list of pets", Advice(settings=(IMAGES,))):
            picture, *numbers = line.split()
            breed, species, _ = map(int, numbers)
            kind = _SPECIES[species]
        if names.setdefault(breed, called(picture, kind)) != called(picture, kind):
            raise wrong(path, f"the breed {breed} has two names")
        listed.append(Listed(found / "images" / f"{part(picture, path)}.jpg", picture, breed - 1))
    if sorted(names) != list(range(1, len(names) + 1)) or not 2 <= len(names) <= BREEDS:
        raise wrong(path, f"breeds are not numbered from 1, or not at most {BREEDS}")
    return read_listed(listed, [names[breed] for breed in sorted(names)], side, choose)


def called(picture: str, kind: str) -> str:
    """Return a breed as the Diffusion Classifier's prompts say it: "Abyssinian cat", but "American Bulldog"."""
    name = " ".join(word.title() for word in picture.rpartition("_")[0].split("_"))
    return name if name.lower().endswith(kind) else f"{name} {kind}"


DATASET = Dataset(
    name="pets",
    layout=_LAYOUT,
    is_in=lambda folder: _place(folder) is not None,
    read=read_pets,
    published=Published(
        title="Oxford-IIIT Pets",
        home="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        archives=(
            ("images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
            ("annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f"),
        ),
        licence="Creative Commons Attribution-ShareAlike 4.0; the pictures' copyright remains with their owners.",
        protocol=Protocol(BREEDS, "a photo of a {name}, a type of pet.", rounds((25, 250), (5, 1)), "l1"),
    ),
)
