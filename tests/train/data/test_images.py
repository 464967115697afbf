"""Training pictures on disk: folders as kohya names them, captions, and names that try to do harm."""

import os
import unicodedata

import pytest
from owf.core.disk.files import named
from owf.core.errors import UsageError
from owf.core.plan.concept import Concept
from owf.core.train.data.caption_files import MAX_CAPTION
from owf.core.train.data.images import read_images, survey
from PIL import Image


def left_out(folder):
    """Return what is not used, or not as its owner may think, each with the reason in brackets."""
    found = survey(folder)
    return [named([item], folder) for item in (*found.left_out, *found.unreadable, *found.notes)]


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
        ("a sks dog, café".encode("utf-32"), "a sks dog, café"),
        ("a sks dog, 红色的包".encode("utf-16-le"), "a sks dog, 红色的包"),
        ("a sks dog, 红色的包".encode("utf-16-be"), "a sks dog, 红色的包"),
        (b" \n\t", "a photo of a sks dog"),
        (b"x" * 10**6, "x" * MAX_CAPTION),
        ("é".encode() * 10**5, "é" * MAX_CAPTION),
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


@pytest.mark.parametrize(
    "content",
    [
        "sks dog, “red”, café".encode("cp1252"),
        "sks dog, 红色的包".encode("gbk"),
        "sks dog, 赤いバッグ".encode("shift_jis"),
        b"a\0b",
        b"\0\0\0\0",
        b"\x89PNG\r\n\x1a\n",
        "sks dog, caf\ufffd".encode(),
        "sks dog".encode("utf-16")[:-1],
    ],
)
def test_captions_that_cannot_be_known_are_refused_by_name(tmp_path, content):
    picture(tmp_path / "3_other" / "a.png").with_suffix(".txt").write_bytes(content)
    picture(tmp_path / "b.png").with_suffix(".txt").write_text("a sks dog")
    with pytest.raises(UsageError, match=r"3_other/a\.txt .*UTF-8"):
        read(tmp_path)
    (item,) = left_out(tmp_path)
    assert item.startswith("3_other/a.txt (")


NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("picture_name", "caption_name"),
    [
        ("a.png", "a.txt"),
        ("IMG_1.JPG", "IMG_1.TXT"),
        ("IMG_1.JPG", "img_1.txt"),
        ("a.png", "a.caption"),
        ("a.png", "a.png.txt"),
        ("a.png", "A.PNG.TXT"),
        ("v1.5 a.png", "v1.5 a.txt"),
        (f"{NFC}.png", f"{NFD}.txt"),
        (f"{NFD}.png", f"{NFC}.TXT"),
    ],
)
def test_names_of_captions(tmp_path, picture_name, caption_name):
    picture(tmp_path / picture_name)
    (tmp_path / caption_name).write_text("my sks dog")
    assert [image.caption for image in read(tmp_path)] == ["my sks dog"]
    assert left_out(tmp_path) == []


def test_the_closest_of_several_captions_is_taken_and_the_others_are_named(tmp_path):
    names = ("a.png.txt", "a.txt", "A.TXT", "a.caption")
    for count in range(1, 5):
        folder = tmp_path / str(count)
        picture(folder / "a.png")
        for name in names[-count:]:
            (folder / name).write_text(name)
        assert [image.caption for image in read(folder)] == [names[-count]]
        reason = f"({names[-count]} is the caption of a.png)"
        assert left_out(folder) == [f"{name} {reason}" for name in sorted(names[1 - count :] if count > 1 else ())]


def test_names_that_differ_in_case_alone_are_told_apart(tmp_path):
    for name in ("a", "A"):
        picture(tmp_path / f"{name}.png").with_suffix(".txt").write_text(f"caption {name}")
    assert [(i.path.name, i.caption) for i in read(tmp_path)] == [("A.png", "caption A"), ("a.png", "caption a")]


def test_what_is_odd_about_captions_is_said(tmp_path):
    for name in ("a.jpg", "a.png", "b.png", "c.png"):
        picture(tmp_path / name)
    (tmp_path / "a.txt").write_text("shared")
    (tmp_path / "b.txt").write_text(" \u200b\n\ufeff", encoding="utf-8")
    (tmp_path / "c.txt").write_text("long " * MAX_CAPTION)
    (tmp_path / "d.txt").write_text("nobody's")
    assert [i.caption for i in read(tmp_path)][:3] == ["shared", "shared", "a photo of a sks dog"]
    said = dict(item.split(" ", 1) for item in left_out(tmp_path))
    assert said["a.txt"] == "(the caption of a.jpg and a.png alike)"
    assert "empty" in said["b.txt"]
    assert f"first {MAX_CAPTION}" in said["c.txt"]
    assert said["d.txt"] == "(no picture has this name)"


def test_everything_in_the_folder_is_used_or_named(tmp_path):
    for name in ("a.png", "10_sks dog/b.jpg", "10_sks dog/deeper/c.png", "raw/d.png", "0_sks owl/e.png"):
        picture(tmp_path / name)
    for name in ("b.heic", "c.avif", "d.tiff", "a.npz", "meta.json", "10_sks dog/x.psd", "10_sks dog/notes.txt"):
        (tmp_path / name).touch()
    for name in (".hidden", "._a.png", "Thumbs.db", "10_sks dog/.DS_Store", "10_sks dog/._b.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    assert [i.path.name for i in read(tmp_path)] == ["a.png", "b.jpg"]
    assert {item.split(" (")[0] for item in left_out(tmp_path)} == {
        *("b.heic", "c.avif", "d.tiff", "a.npz", "meta.json", "gone.png", "raw", "0_sks owl"),
        *("10_sks dog/deeper", "10_sks dog/x.psd", "10_sks dog/notes.txt"),
    }
    (sentence,) = survey(tmp_path).sentences(tmp_path)
    assert "10_sks dog/deeper" in sentence


def test_pictures_and_folders_behind_links(tmp_path):
    picture(tmp_path / "drive" / "a.png").with_suffix(".txt").write_text("linked")
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "2_sks dog").symlink_to(tmp_path / "drive")
    (folder / "b.png").symlink_to(picture(tmp_path / "elsewhere" / "b.png"))
    found = [(i.path.name, i.caption, i.repeats) for i in read(folder)]
    assert found == [("b.png", "a photo of a sks dog", 1), ("a.png", "linked", 2)]


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
    (tmp_path / "raw").mkdir()
    with pytest.raises(UsageError, match=r"holds no picture.*raw"):
        read(tmp_path)


def test_a_picture_that_links_lead_to_is_trained_once_and_named(tmp_path):
    real = picture(tmp_path / "drive" / "real.png")
    folder = tmp_path / "folder"
    own = picture(folder / "own.png")
    own.with_suffix(".txt").write_text("my own words")
    for name, target in (("a.png", real), ("b.png", real), ("0_own_again.png", own)):
        (folder / name).symlink_to(target)
    (folder / "b.txt").write_text("of b")
    (folder / "3_sks dog").mkdir()
    (folder / "3_sks dog" / "c.png").symlink_to(real)
    found = survey(folder)
    assert [(path.name, text) for path, text in found.pictures] == [("a.png", ""), ("own.png", "my own words")]
    assert {item.path.name: item.reason for item in found.left_out} == {
        "b.png": "the same file as a.png",
        "c.png": "the same file as a.png",
        "0_own_again.png": "the same file as own.png",
        "b.txt": "of a picture that is left out",
    }
    assert len(read(folder)) == 2


def test_a_labelled_picture_that_links_lead_to_counts_once(tmp_path):
    from owf.core.datasets.folder import survey as classes

    for name in ("cat", "dog"):
        picture(tmp_path / name / "a.png")
    (tmp_path / "cat" / "0.png").symlink_to(tmp_path / "cat" / "a.png")
    found = classes(tmp_path)
    assert [[path.name for path in pictures] for _, pictures in found.classes] == [["a.png"], ["a.png"]]
    assert [(item.path.name, item.reason) for item in found.left_out] == [("0.png", "the same file as a.png")]
