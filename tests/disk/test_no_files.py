"""What is named in place of a file, and is none, is one sentence: never a wait, nor a read without end."""

import pytest
from no_files import NO_FILES, in_time, put
from owf.core.disk.files import open_regular, read_regular
from owf.core.disk.toml import read_toml
from owf.core.errors import OwfError
from owf.core.model.base import choose_base
from owf.core.pictures.picture import open_picture
from owf.core.train.data.bank import read_bank
from owf.core.train.data.caption_files import read_caption
from owf.core.verdict.policy import read_policy
from owf.core.verdict.report import read_report

READERS = {
    "bank": read_bank,
    "caption": read_caption,
    "picture": open_picture,
    "policy": read_policy,
    "report": read_report,
    "settings": read_toml,
}


@pytest.mark.parametrize("kind", list(NO_FILES))
@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_refuses_what_is_no_file(tmp_path, name, kind):
    path = put(kind, tmp_path / "x")
    with in_time(), pytest.raises((OwfError, ValueError)) as caught:
        READERS[name](path)
    assert ("folder" if kind == "folder" else "no file") in str(caught.value)


@pytest.mark.parametrize("kind", list(NO_FILES))
def test_the_file_of_settings_may_be_none(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("OWF_CONFIG", str(put(kind, tmp_path / "x.toml")))
    with in_time(), pytest.raises(OwfError, match=r"x\.toml cannot be read: it is"):
        choose_base(None, "sd15")


def test_a_file_is_opened_and_read_as_far_as_it_may(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"1234")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"1234"
    assert read_regular(tmp_path / "x", 4) == b"1234"
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_regular(tmp_path / "x", 3)
