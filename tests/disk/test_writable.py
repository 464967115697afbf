"""A folder that cannot be written is known before the work, in one sentence that names it and what to change."""

import errno
import os
from pathlib import Path

import pytest
from owf.cli.audit import main as audit
from owf.cli.train import main as train
from owf.core.disk.writable import require_writable
from owf.core.errors import Setting, UsageError

OUT = Setting("out")
PICTURES = Path(__file__).resolve().parents[2] / "demo" / "concept"


def refused(folder):
    with pytest.raises(UsageError) as caught:
        require_writable(folder, OUT)
    assert caught.value.settings == (OUT,)
    return str(caught.value)


@pytest.mark.parametrize("place", ["here", "made/later/and below"])
def test_a_folder_that_can_be_written_stays_as_it_is(tmp_path, place):
    (tmp_path / "here").mkdir()
    require_writable(tmp_path / place, OUT)
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


def test_a_relative_path_is_that_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    require_writable(Path("out") / "below", OUT)
    Path("file").touch()
    assert refused(Path("file") / "below").startswith("Nothing can be written to file/below: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("below", ["", "a", "a/b"])
def test_a_file_where_a_folder_should_be(tmp_path, below):
    (tmp_path / "file").touch()
    folder, file = tmp_path / "file" / below, tmp_path / "file"
    assert refused(folder) == f"Nothing can be written to {folder}: {file} is no folder. Choose another folder."


@pytest.mark.parametrize(
    ("target", "words"), [("nowhere", "is a link that leads nowhere"), ("itself", os.strerror(errno.ELOOP))]
)
def test_links_that_lead_to_no_folder(tmp_path, target, words):
    link = tmp_path / "link"
    link.symlink_to(link if target == "itself" else tmp_path / target)
    assert words in refused(link)
    assert words in refused(link / "below")


@pytest.mark.parametrize("name", ["x" * 300, "nul\0"])
def test_names_that_no_folder_can_have(tmp_path, name):
    assert "Nothing can be written to" in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "Choose another folder."),
        (errno.EACCES, "Change its permissions, or choose another folder."),
        (errno.ENOSPC, "Free some space there, or choose another folder."),
    ],
)
@pytest.mark.parametrize("place", ["here", "below/here"])
def test_what_the_system_refuses_is_said_with_what_helps(number, advice, place, tmp_path, monkeypatch):
    """Root may write everywhere, so that the system's answer is made up."""
    (tmp_path / "here").mkdir()

    def refuse(*path, **settings):
        raise OSError(number, os.strerror(number), "elsewhere")

    monkeypatch.setattr(*((Path, "write_bytes") if number == errno.ENOSPC else (os, "mkdir")), refuse)
    said = refused(tmp_path / place)
    assert said.startswith(f"Nothing can be written to {tmp_path / place}: {os.strerror(number)}")
    assert said.endswith(advice)
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


@pytest.mark.parametrize("option", ["--out", "--cache"])
@pytest.mark.parametrize("below", ["", "below"])
def test_an_audit_says_so_before_its_base_is_loaded(option, below, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    places = {"--out": tmp_path / "out", "--cache": tmp_path / "cache", option: tmp_path / "file" / below}
    monkeypatch.setattr("owf.cli.session.load_chosen", None)
    code = audit(["--demo", "--progress", "none", *(str(part) for pair in places.items() for part in pair)])
    assert code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"owf-audit: Nothing can be written to {tmp_path / 'file' / below}")
    assert said.endswith(f"Choose another folder ({option}).")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("broken", ["out", "cache", "out/audit"])
def test_a_training_says_so_before_its_base_is_loaded(broken, tmp_path, monkeypatch, capsys):
    (tmp_path / broken).parent.mkdir(exist_ok=True)
    (tmp_path / broken).touch()
    monkeypatch.setattr("owf.cli.training.session.load_chosen", None)
    given = ["--demo-base", "--trigger", "sks", "--class", "bag", PICTURES, "--progress", "none"]
    code = train([*map(str, given), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")])
    assert code == 2
    said = capsys.readouterr().err
    assert f"owf-train: Nothing can be written to {tmp_path / broken}: " in said
    assert f"(--{broken.split('/')[0]})" in said
