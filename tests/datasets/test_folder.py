"""Labelled images from a folder: what is read, and what is refused by name."""

import unicodedata

import numpy as np
import pytest
from owf.core.datasets.folder import read_folder, survey
from owf.core.datasets.images.labelled import LabelledImages
from owf.core.datasets.images.subset import first
from owf.core.errors import UsageError
from owf.core.pictures import cover, open_picture
from PIL import Image


def picture(path, size=(10, 20), color=(255, 0, 0), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color if mode == "RGB" else 0).save(path)


def test_reads_one_subfolder_per_class(tmp_path):
    picture(tmp_path / "hot_dog" / "b.png")
    picture(tmp_path / "hot_dog" / "a.jpg", size=(30, 8))
    picture(tmp_path / "cat" / "c.png", mode="L")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    found = read_folder(tmp_path, 16, first(0))
    assert found.images.shape == (3, 3, 16, 16)
    assert found.images.dtype == np.uint8
    assert found.classes == ("cat", "hot dog")
    assert found.labels.tolist() == [0, 1, 1]


def test_takes_the_first_few_of_each_class(tmp_path):
    for name in "abc":
        picture(tmp_path / "x" / f"{name}.png")
        picture(tmp_path / "y" / f"{name}.png")
    assert read_folder(tmp_path, 8, first(2)).labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("broken", ["missing", "one class", "empty class", "no picture"])
def test_refuses_with_the_place(tmp_path, broken):
    picture(tmp_path / "a" / "a.png")
    if broken == "empty class":
        (tmp_path / "b").mkdir()
    elif broken == "no picture":
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "b.png").write_bytes(b"GIF89a junk")
    folder = tmp_path / "none" if broken == "missing" else tmp_path
    with pytest.raises(UsageError, match=str(folder)):
        read_folder(folder, 16, first(0))


def test_class_folders_by_links_and_in_either_form_of_unicode(tmp_path):
    picture(tmp_path / "drive" / "a.png")
    folder = tmp_path / "classes"
    picture(folder / unicodedata.normalize("NFD", "café") / "a.png")
    (folder / "dog").symlink_to(tmp_path / "drive")
    assert read_folder(folder, 8, first(0)).classes == (unicodedata.normalize("NFC", "café"), "dog")


@pytest.mark.parametrize(
    "names", [("hot_dog", "hot dog"), ("Cat", "cat"), ("café", unicodedata.normalize("NFD", "café"))]
)
def test_two_folders_of_one_class_are_refused(tmp_path, names):
    for name in names:
        picture(tmp_path / name / "a.png")
    with pytest.raises(UsageError, match="two folders are the class"):
        survey(tmp_path)


def test_everything_in_the_folder_is_used_or_named(tmp_path):
    for name in ("cat/a.png", "cat/._a.png", "cat/more/b.png", "dog/a.JPG", "readme.png", "__MACOSX/cat/._a.png"):
        picture(tmp_path / name) if "._" not in name else (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    for name in ("cat/._a.png", "cat/c.heic", "dog/Thumbs.db", "list.csv"):
        (tmp_path / name).touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    found = survey(tmp_path)
    assert [(name, [path.name for path in paths]) for name, paths in found.classes] == [
        ("cat", ["a.png"]),
        ("dog", ["a.JPG"]),
    ]
    left_out = {item.path.relative_to(tmp_path).as_posix() for item in found.left_out}
    assert left_out == {"cat/more", "cat/c.heic", "readme.png", "list.csv", "gone"}


def test_a_class_of_unread_formats_is_refused(tmp_path):
    picture(tmp_path / "cat" / "a.png")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "a.heic").touch()
    with pytest.raises(UsageError, match=r"dog holds no picture.*none of the 1"):
        survey(tmp_path)


def test_items_name_images_by_content_and_tell_copies_apart():
    images = np.zeros((3, 3, 4, 4), np.uint8)
    images[2] = 7
    one = LabelledImages(images, np.array([0, 0, 1]), ("a", "b"))
    other = LabelledImages(images[::-1].copy(), np.array([1, 0, 0]), ("a", "b"))
    assert len(set(one.items)) == 3
    assert set(one.items) == set(other.items)
    assert one.digest() != other.digest()


def test_turns_scales_and_flattens_pictures(tmp_path):
    sideways = Image.new("RGB", (8, 8), "black")
    sideways.paste("white", (0, 0, 4, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left side belongs on top
    sideways.save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.full((8, 8), 30_000, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    turned = cover(open_picture(tmp_path / "turned.png"), 8, 8)
    assert turned[:, 0].min() == 255
    assert turned[:, -1].max() == 0
    assert cover(open_picture(tmp_path / "clear.png"), 8, 8).min() == 255
    assert cover(open_picture(tmp_path / "deep.png"), 8, 8).shape == (3, 8, 8)


def test_a_very_long_picture_costs_little(tmp_path):
    Image.new("L", (200_000, 1), 7).save(tmp_path / "long.png")
    assert cover(open_picture(tmp_path / "long.png"), 512, 512).shape == (3, 512, 512)
