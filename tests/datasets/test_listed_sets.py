"""Flowers, Pets, Food-101, Aircraft and ObjectNet: lists and pictures in each set's layout, and hostile ones."""

import json

import numpy as np
import pytest
from owf.core.datasets.dataset import all_datasets, find_dataset
from owf.core.datasets.flowers102 import CLASSES as FLOWERS
from owf.core.datasets.images.subset import first
from owf.core.datasets.pets import called
from owf.core.errors import Setting, UsageError
from published import CLASSES, shade, write

SETS = ("flowers102", "pets", "food101", "aircraft", "objectnet")
INNER = {
    "flowers102": "flowers-102",
    "pets": "oxford-iiit-pet",
    "food101": "food-101",
    "aircraft": "fgvc-aircraft-2013b/data",
    "objectnet": "objectnet-1.0",
}
LISTS = {
    "flowers102": "setid.mat",
    "pets": "annotations/test.txt",
    "food101": "meta/test.json",
    "aircraft": "images_variant_test.txt",
    "objectnet": "mappings/folder_to_objectnet_label.json",
}


@pytest.mark.parametrize("name", SETS)
def test_a_layout_is_found_from_outside_and_inside(name, tmp_path):
    write(name, tmp_path)
    for folder in (tmp_path, tmp_path / INNER[name]):
        dataset = find_dataset(folder)
        assert dataset.name == name
        images = dataset.read(folder, 16, first(0))
        assert images.classes == (CLASSES[name] or FLOWERS)
        assert np.bincount(images.labels).tolist() == [2] * len(images.classes)
        assert images.images.shape[1:] == (3, 16, 16) and images.images.dtype == np.uint8


@pytest.mark.parametrize("name", ["pets", "food101", "objectnet", "aircraft"])
def test_labels_belong_to_their_pictures_and_nothing_but_the_picture_is_seen(name, tmp_path):
    """A red border or a white banner would show as another mean; of JPEGs a grey level may be lost."""
    write(name, tmp_path)
    images = find_dataset(tmp_path).read(tmp_path, 8, first(0))
    start = 1 if name == "pets" else 0
    order = {"baby back ribs": 0, "apple pie": 1}
    for picture, label in zip(images.images, images.labels, strict=True):
        written = order.get(images.classes[label], label + start)
        near = min(abs(float(picture.mean()) - shade(written, number)) for number in range(2))
        assert near <= 1.5 and np.ptp(picture) <= 3


def test_flowers_are_those_of_the_test_list(tmp_path):
    write("flowers102", tmp_path, each=1)  # odd pictures are the training's, even ones the test's
    images = find_dataset(tmp_path).read(tmp_path, 8, first(0))
    greys = [shade(label + 1, 2 * (label + 1)) for label in images.labels]
    assert np.abs(images.images.mean((1, 2, 3)) - greys).max() <= 1.5
    assert len(FLOWERS) == len(set(FLOWERS)) == 102 and FLOWERS[51] == "wild pansy"


@pytest.mark.parametrize(
    ("picture", "kind", "name"),
    [
        ("Abyssinian_201", "cat", "Abyssinian cat"),
        ("american_bulldog_7", "dog", "American Bulldog"),
        ("german_shorthaired_12", "dog", "German Shorthaired dog"),
        ("Egyptian_Mau_1", "cat", "Egyptian Mau cat"),
    ],
)
def test_breeds_are_called_as_the_prompts_call_them(picture, kind, name):
    assert called(picture, kind) == name


HOSTILE = {
    "pets": [
        "",
        "Abyssinian_1 1 1",
        "Abyssinian_1 x 1 1",
        "../../secret_1 1 1 1",
        "a_1 1 9 1",
        "a_1 99 1 1\nb_1 1 1 1",
    ],
    "aircraft": ["", "0000000", "../../secret 707-320", "0000000 no such plane"],
    "food101": ["", "[]", "{", '{"a": 1, "b": []}', '{"a": ["../secret"], "b": ["b/1"]}', "[" * 100_000],
    "objectnet": ["", "[]", '{"..": "Alarm clock", "b": "Bath towel"}', '{"a": 1}', "{}"],
    "flowers102": ["", "MATLAB 5.0", "\0" * 2000],
}


@pytest.mark.parametrize(("name", "content"), [(name, text) for name, texts in HOSTILE.items() for text in texts])
def test_lists_that_cannot_be_the_sets_are_refused_by_name(name, content, tmp_path):
    write(name, tmp_path)
    (tmp_path / "secret.jpg").write_bytes((tmp_path / INNER[name]).name.encode())
    (tmp_path / INNER[name] / LISTS[name]).write_text(content)
    with pytest.raises(UsageError) as error:
        find_dataset(tmp_path, name).read(tmp_path, 8, first(0))
    assert Setting("images") in error.value.settings
    assert len(str(error.value)) < 1000


def test_a_picture_that_is_missing_is_named(tmp_path):
    write("food101", tmp_path)
    (tmp_path / "food-101" / "images" / "apple_pie" / "1000.jpg").unlink()
    with pytest.raises(UsageError, match=r"1000\.jpg") as error:
        find_dataset(tmp_path).read(tmp_path, 8, first(0))
    assert error.value.settings == (Setting("images"),)
    assert find_dataset(tmp_path).read(tmp_path, 8, lambda names: [1]).labels.tolist() == [
        0,
        1,
    ]  # others are not opened


def test_a_huge_list_is_not_read(tmp_path):
    write("food101", tmp_path)
    with (tmp_path / "food-101" / "meta" / "test.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="more than"):
        find_dataset(tmp_path).read(tmp_path, 8, first(0))


@pytest.mark.parametrize("dataset", [d for d in all_datasets() if d.published is not None], ids=lambda d: d.name)
def test_a_folder_without_the_layout_is_refused(dataset, tmp_path):
    assert not dataset.is_in(tmp_path) and not dataset.is_in(tmp_path / "none")
    with pytest.raises(UsageError, match="does not hold"):
        dataset.read(tmp_path, 8, first(1))


def test_mappings_are_read_as_they_lie(tmp_path):
    write("objectnet", tmp_path)
    path = tmp_path / "objectnet-1.0" / "mappings" / "objectnet_to_imagenet_1k.json"
    path.write_text(json.dumps({"Zip tie": "x", "Bath towel": "y"}))
    assert find_dataset(tmp_path).read(tmp_path, 8, first(1)).classes == ("bath towel", "zip tie")
