"""CIFAR-10: both of its archives, read alike; and what a pickle may not do."""

import pickle

import numpy as np
import pytest
from owf.core.datasets.cifar10 import CLASSES, read_cifar10
from owf.core.datasets.dataset import find_dataset
from owf.core.datasets.images.subset import drawn, first
from owf.core.errors import Setting, UsageError
from published import pickled_cifar10, write

LABELS = [3, 8, 0, 6, 1, 2, 4, 5, 7, 9, 3, 3]
PIXELS = b"".join(bytes((40 * i + j // 1024 * 60 + j % 97) % 256 for j in range(3072)) for i in range(len(LABELS)))


@pytest.fixture
def binary(tmp_path):
    place = tmp_path / "bin" / "cifar-10-batches-bin"
    place.mkdir(parents=True)
    rows = [bytes([label]) + PIXELS[3072 * i : 3072 * (i + 1)] for i, label in enumerate(LABELS)]
    (place / "test_batch.bin").write_bytes(b"".join(rows))
    return place.parent


@pytest.fixture
def python(tmp_path):
    place = tmp_path / "py" / "cifar-10-batches-py"
    place.mkdir(parents=True)
    (place / "batches.meta").write_bytes(b"never opened")
    (place / "test_batch").write_bytes(pickled_cifar10(LABELS, PIXELS))
    return place.parent


def test_the_pickle_of_the_tests_is_one_that_pickle_reads(python):
    found = pickle.loads((python / "cifar-10-batches-py" / "test_batch").read_bytes(), encoding="latin1")
    assert found["labels"] == LABELS
    assert found["data"].tobytes() == PIXELS and found["data"].shape == (len(LABELS), 3072)


def test_both_archives_are_read_alike_and_pixels_are_where_they_belong(binary, python):
    one, other = (find_dataset(folder).read(folder, 32, first(0)) for folder in (binary, python))
    assert one.digest() == other.digest() and find_dataset(binary).name == "cifar10"
    assert one.classes == CLASSES and one.labels.tolist() == LABELS
    for i, channel, y, x in [(0, 0, 0, 0), (5, 1, 3, 30), (11, 2, 31, 31)]:
        assert one.images[i, channel, y, x] == (40 * i + channel * 60 + (1024 * channel + 32 * y + x) % 97) % 256


def test_the_chosen_are_resized(binary):
    images = read_cifar10(binary / "cifar-10-batches-bin", 16, drawn(1, 0))
    assert images.images.shape == (10, 3, 16, 16) and images.images.dtype == np.uint8
    assert sorted(images.labels.tolist()) == list(range(10))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not whole"),
        (b"\0" * 100, "not whole"),
        (b"\x0b" + b"\0" * 3072, "labels 11 to 11"),
        (b"\x03" + b"\0" * 3072, "no picture of the class 'airplane'"),
    ],
)
def test_batches_that_cannot_be_the_sets_are_named(binary, content, said):
    (binary / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(content)
    with pytest.raises(UsageError, match=said) as error:
        read_cifar10(binary, 32, first(1))
    assert Setting("images") in error.value.settings


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"labels": [1], "data": Hostile()}, protocol=2),
        pickle.dumps(Hostile()),
        b"\x80\x02r\xff\xff\xff\x7f.",  # a memo of two thousand million entries
        pickled_cifar10(LABELS, PIXELS)[:-4000],
        pickled_cifar10(LABELS[:-1], PIXELS),
        pickled_cifar10(LABELS, PIXELS).replace(b"\x89T", b"\x88T"),  # in Fortran's order
        b"",
        b"no pickle",
    ],
)
def test_nothing_in_a_pickle_is_executed_or_believed(python, content):
    (python / "cifar-10-batches-py" / "test_batch").write_bytes(content)
    with pytest.raises(UsageError, match=r"test_batch cannot be read as a batch of CIFAR-10"):
        read_cifar10(python, 32, first(1))


def test_a_hostile_object_beside_the_pictures_is_left_alone(python):
    pickled = pickled_cifar10(LABELS, PIXELS)
    attack = b"cbuiltins\nexec\n(U\x1craise SystemExit('executed')tR0"
    (python / "cifar-10-batches-py" / "test_batch").write_bytes(pickled[:2] + attack + pickled[2:])
    assert read_cifar10(python, 32, first(0)).labels.tolist() == LABELS


def test_a_set_in_miniature_is_read(tmp_path):
    write("cifar10", tmp_path, each=3)
    assert np.bincount(read_cifar10(tmp_path, 8, first(2)).labels).tolist() == [2] * 10
