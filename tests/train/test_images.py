"""Training pictures on disk: folders as kohya names them, captions, and names that try to do harm."""

import os

import pytest
from owf.core.errors import UsageError
from owf.core.train.captions import Concept
from owf.core.train.images import MAX_CAPTION, left_out, read_images
from PIL import Image

DOG = Concept("sks", "dog")
TEMPLATE = "a photo of {}"


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, format="PNG")
    return path


def read(folder):
    return read_images(folder, DOG, TEMPLATE)


def test_a_flat_folder_uses_the_template(tmp_path):
    for name in ("b.png", "a.JPG", "c.webp"):
        picture(tmp_path / name)
    (tmp_path / "notes.md").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    images = read(tmp_path)
    assert [i.path.name for i in images] == ["a.JPG", "b.png", "c.webp"]
    assert {(i.caption, i.repeats) for i in images} == {("a photo of a sks dog", 1)}


def test_kohya_folders_give_repeats_and_captions(tmp_path):
    picture(tmp_path / "plain.png")
    picture(tmp_path / "10_sks dog" / "a.png")
    picture(tmp_path / "2_sks cat" / "b.png")
    picture(tmp_path / "0_sks owl" / "c.png")
    picture(tmp_path / "regularisation" / "d.png")
    found = {i.path.name: (i.caption, i.repeats) for i in read(tmp_path)}
    assert found == {"plain.png": ("a photo of a sks dog", 1), "a.png": ("sks dog", 10), "b.png": ("sks cat", 2)}


def test_the_folder_itself_may_be_a_kohya_folder(tmp_path):
    picture(tmp_path / "7_sks dog" / "a.png")
    (image,) = read(tmp_path / "7_sks dog")
    assert (image.caption, image.repeats) == ("sks dog", 7)


@pytest.mark.parametrize(
    ("content", "caption"),
    [
        (b"a sks dog\nin the  snow\n", "a sks dog in the snow"),
        (b"\xef\xbb\xbfa sks dog", "a sks dog"),
        ("a sks dog, café".encode("utf-16"), "a sks dog, café"),
        (b"caf\xe9", "caf\ufffd"),
        (b" \n\t", "a photo of a sks dog"),
        (b"x" * 10**6, "x" * MAX_CAPTION),
        (b"a\0b", "a b"),
    ],
)
def test_text_files_are_captions(tmp_path, content, caption):
    picture(tmp_path / "3_other" / "a.png").with_suffix(".txt").write_bytes(content)
    (image,) = read(tmp_path)
    assert image.caption == (caption if content.strip() else "other")


@pytest.mark.skipif(os.name == "nt", reason="such names do not exist there")
def test_a_number_before_other_words_is_no_count_of_repeats(tmp_path):
    folder = tmp_path / "2024_holiday"
    folder.mkdir()
    (folder / "a.png").touch()
    (image,) = read_images(folder, Concept("sks", "dog"), "a photo of {}")
    assert (image.repeats, image.caption) == (1, "a photo of a sks dog")


def test_what_is_passed_over_is_named(tmp_path):
    for name in ("a.png", "a.txt", "b.heic", ".hidden"):
        (tmp_path / name).touch()
    for name in ("10_sks dog", "raw"):
        (tmp_path / name).mkdir()
    assert left_out(tmp_path) == ["b.heic", "raw"]


def test_captions_can_be_written_whatever_the_folder_is_called(tmp_path):
    folder = tmp_path / "3_sks\udcff dog"
    folder.mkdir()
    (folder / "a.png").touch()
    (image,) = read_images(tmp_path, Concept("sks\udcff", "dog"), "a photo of {}")
    assert image.caption == "sks? dog"
    assert Concept("sks\udcff", "dog").phrase == "sks? dog"


def test_hostile_names_are_only_names(tmp_path):
    names = ["\x1b[31m.png", "a\nb.png", "--out.png", "[bold].png", "..png.png", "$(id).png", "x" * 200 + ".png"]
    for name in names:
        picture(tmp_path / name)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert {i.path.name for i in read(tmp_path)} == {n for n in names if not n.startswith(".")}


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        read(tmp_path / "missing")
    with pytest.raises(UsageError, match="holds no picture"):
        read(tmp_path)
