"""One scan of folders: what is seen, in which order, through links, and what is said of the rest."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from owf.core.disk.files import LeftOut, folded, listing, named, replacing, scan, why_no_file, write_text
from owf.core.errors import UsageError

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def none_together(_folder):
    return ()


def test_hidden_files_and_those_of_systems_are_left_alone(tmp_path):
    names = ("._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", "DESKTOP.INI", "b.png", "A.PNG")
    touch(*(tmp_path / name for name in names), tmp_path / "__MACOSX" / "._c.png", tmp_path / "@eaDir" / "c.png")
    assert [path.name for path in listing(tmp_path)] == ["A.PNG", "b.png"]
    assert [path.name for path in scan(tmp_path, none_together).files] == ["A.PNG", "b.png"]


def test_the_order_does_not_depend_on_the_form_of_unicode(tmp_path):
    touch(
        *(tmp_path / "one" / name for name in ("cafe", NFC, "cafz")),
        *(tmp_path / "two" / n for n in ("cafe", NFD, "cafz")),
    )
    orders = [[folded(p.name) for p in listing(tmp_path / name)] for name in ("one", "two")]
    assert orders[0] == orders[1] == ["cafe", "cafz", folded(NFC)]
    assert folded(NFD.upper()) == folded(NFC)


def test_links_are_followed_and_nothing_is_met_twice(tmp_path):
    touch(tmp_path / "drive" / "sub" / "a.png", tmp_path / "folder" / "b.png")
    folder = tmp_path / "folder"
    (folder / "drive").symlink_to(tmp_path / "drive")
    (folder / "again").symlink_to(tmp_path / "drive" / "sub")
    (folder / "file.png").symlink_to(folder / "b.png")
    (tmp_path / "drive" / "sub" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder)
    (folder / "round").symlink_to(folder / "round")
    found = scan(folder, none_together)
    assert [path.relative_to(folder).as_posix() for path in found.files] == ["b.png", "file.png", "again/a.png"]
    assert found.left_out == [LeftOut(folder / "round", "a link that leads nowhere")]


def test_what_is_no_file_is_said(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    touch(tmp_path / "file")
    assert [why_no_file(path) for path in listing(tmp_path)] == [None, "a link that leads nowhere", "no file"]
    assert {item.path.name for item in scan(tmp_path, none_together).left_out} == {"gone", "pipe"}


def test_a_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    touch(tmp_path / "open" / "a", tmp_path / "shut" / "b")
    read = type(tmp_path).iterdir

    def refuse(path):
        if path.name == "shut":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)  # root may read everything, so no mode would do
    found = scan(tmp_path, none_together)
    assert [path.name for path in found.files] == ["a"]
    assert found.left_out == [LeftOut(tmp_path / "shut", "cannot be read: Permission denied")]
    for folder in (tmp_path / "shut", tmp_path / "missing"):
        with pytest.raises(UsageError, match=f"{folder} cannot be read: "):
            scan(folder, none_together)


def test_folders_deeper_than_python_calls(tmp_path):
    place, above = tmp_path, os.open(tmp_path, os.O_RDONLY)
    deep = 300  # reading a path takes time by its length: a lower limit says the same as deeper folders
    for _ in range(deep):
        os.mkdir("d", dir_fd=above)
        below = os.open("d", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above, place = below, place / "d"
    os.close(above)
    try:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(deep)
        try:
            assert scan(tmp_path, none_together).files == []
        finally:
            sys.setrecursionlimit(limit)
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # shutil.rmtree calls itself


def test_what_is_left_out_is_named_by_reason(tmp_path):
    left_out = [LeftOut(tmp_path / f"{n}.pt", "a pickle") for n in range(5)]
    left_out += [LeftOut(tmp_path / "a" / "b\n\x1b.c", "no file"), LeftOut(tmp_path.parent, "odd")]
    assert named(left_out, tmp_path) == (
        f"0.pt, 1.pt, 2.pt and 2 more (a pickle); a/b \ufffd.c (no file); {tmp_path.parent} (odd)"
    )


def test_a_long_path_is_named_by_its_end(tmp_path):
    far = Path("/", *["folder"] * 40, "text_encoder")
    assert named([LeftOut(far, "another part")], tmp_path).endswith("/folder/text_encoder (another part)")
    assert len(named([LeftOut(far, "")], tmp_path)) < 90


def stop_writing(path, end):
    with replacing(path) as file:
        file.write(b"half of the n")
        assert listing(path.parent) == [path] and path.read_text() == "old"
        raise end


@pytest.mark.parametrize("end", [OSError("disk full"), KeyboardInterrupt(), ValueError("no tensor")], ids=repr)
def test_what_ends_a_write_early_leaves_the_old_file_and_nothing_else(tmp_path, end):
    path = tmp_path / "report.json"
    write_text(path, "old")
    with pytest.raises(type(end)):
        stop_writing(path, end)
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("report.json", "old")]


def test_two_that_write_the_same_file_never_mix(tmp_path):
    path = tmp_path / ("\N{DOG}" * 60)  # 240 of the 255 bytes that a name may have
    with replacing(path) as first:
        first.write(b"fir")
        write_text(path, "second\n")
        assert path.read_bytes() == b"second\n"
        first.write(b"st")
    assert path.read_bytes() == b"first"
    assert len(list(tmp_path.iterdir())) == 1
