"""STL-10's layout, written as its authors describe it: bytes by channel, then column, then row; labels from 1."""

import numpy as np
import pytest
from owf.core.datasets.dataset import find_dataset
from owf.core.datasets.images.subset import first
from owf.core.datasets.stl10 import SIDE, read_stl10
from owf.core.errors import Setting, UsageError

NAMES = ["airplane", "bird", "car"]


@pytest.fixture
def folder(tmp_path):
    """Return a folder of six pictures, two of each class, whose pixels say where they are."""
    place = tmp_path / "stl10_binary"
    place.mkdir()
    labels = [1, 3, 2, 1, 2, 3]
    data = bytearray()
    for i in range(len(labels)):
        for channel in range(3):
            for x in range(SIDE):
                data += bytes((40 * i + 10 * channel + x + y // 2) % 256 for y in range(SIDE))
    (place / "test_X.bin").write_bytes(data)
    (place / "test_y.bin").write_bytes(bytes(labels))
    (place / "class_names.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path


def test_the_layout_is_found_and_pixels_are_where_they_belong(folder):
    dataset = find_dataset(folder)
    assert dataset.name == "stl10"
    images = dataset.read(folder, SIDE, first(0))
    assert images.classes == tuple(NAMES)
    assert images.labels.tolist() == [0, 2, 1, 0, 1, 2]
    for i, channel, x, y in [(0, 0, 0, 0), (3, 1, 90, 4), (5, 2, 7, 88)]:
        assert images.images[i, channel, y, x] == (40 * i + 10 * channel + x + y // 2) % 256


def test_the_first_pictures_of_each_class_are_taken_and_resized(folder):
    images = find_dataset(folder / "stl10_binary", "stl10").read(folder / "stl10_binary", 32, first(1))
    assert images.images.shape == (3, 3, 32, 32) and images.images.dtype == np.uint8
    assert images.labels.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("test_X.bin", b"\0" * 100, "not whole"),
        ("test_y.bin", b"\1\3\2\1\2\4", "labels 1 to 4"),
        ("test_y.bin", b"\1\3\2\1\2\0", "labels 0 to 3"),
        ("test_y.bin", b"\1\3\1\1\1\3", "no picture of the class 'bird'"),
        ("test_y.bin", b"", "not whole"),
        ("class_names.txt", b"\xff\xfe", "cannot be read as STL-10"),
        ("class_names.txt", b"car", "do not fit"),
    ],
)
def test_files_that_cannot_be_what_they_are_called_are_named(folder, name, content, said):
    (folder / "stl10_binary" / name).write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_stl10(folder, 32, first(1))


def test_other_folders_keep_the_general_layout(tmp_path):
    assert find_dataset(tmp_path).name == "folder"
    with pytest.raises(UsageError, match=r"test_X\.bin"):
        read_stl10(tmp_path, 32, first(1))
    with pytest.raises(UsageError, match=r"'cifar'.*stl10") as unknown:
        find_dataset(tmp_path, "cifar")
    with pytest.raises(UsageError, match=r"does not hold STL-10's") as another:
        find_dataset(tmp_path, "stl10")
    assert unknown.value.settings == (Setting("dataset"),)
    assert another.value.settings == (Setting("images"), Setting("dataset"))
