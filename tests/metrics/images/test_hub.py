"""Files of the hub: put by hand, cached or fetched, and what they must be."""

import hashlib
import re
from pathlib import Path

import huggingface_hub
import pytest
from owf.core.errors import OFF, Setting, UsageError
from owf.core.metrics.images.features import Fetching, load_features
from owf.core.metrics.images.hub import HubFiles, by_hand, hub_folder
from owf.core.metrics.images.towers import CLIP

SHA256 = hashlib.sha256(b"weights").hexdigest()
WANTED = HubFiles("somebody/net", {"config.json": "", "sub/w.bin": SHA256}, "0" * 40)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The hub's cache, where files are links to what is called by its SHA-256."""
    folder, asked = tmp_path / "cache" / "snapshots" / "0", []
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    blob = tmp_path / "cache" / SHA256
    blob.write_bytes(b"weights")
    (folder / "sub" / "w.bin").symlink_to(blob)

    def download(repository, name, revision, local_files_only):
        asked.append((repository, name, revision, local_files_only))
        return str(folder / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    download.asked = asked  # type: ignore[attr-defined]
    return folder


def test_files_come_from_the_cache_at_their_revision(cache):
    assert hub_folder(WANTED, offline=True) == cache
    assert huggingface_hub.hf_hub_download.asked == [  # type: ignore[attr-defined]
        ("somebody/net", "config.json", "0" * 40, True),
        ("somebody/net", "sub/w.bin", "0" * 40, True),
    ]


@pytest.mark.parametrize("files", [WANTED.files, {"sub/w.bin": ""}], ids=["stated by us", "stated by the hub"])
def test_a_damaged_file_is_refused(cache, files):
    (cache / "sub" / "w.bin").resolve().write_bytes(b"weight")
    with pytest.raises(UsageError, match=r"w\.bin is not the file of https://huggingface\.co/somebody/net/resolve/0"):
        hub_folder(HubFiles("somebody/net", files, "0" * 40), offline=False)


def test_files_that_were_put_by_hand_come_first_and_are_checked_too(cache):
    folder = by_hand("somebody/net")
    assert folder.name == "somebody_net"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert hub_folder(WANTED, offline=True) == cache  # one of two is not enough
    (folder / "sub" / "w.bin").write_bytes(b"weights")
    assert hub_folder(WANTED, offline=True) == folder
    (folder / "sub" / "w.bin").write_bytes(b"others")
    with pytest.raises(UsageError, match="SHA-256 is another"):
        hub_folder(WANTED, offline=True)


def test_clip_is_pinned_and_its_absence_offline_names_file_address_and_place(home, monkeypatch):
    def nothing(*args, **settings):
        raise FileNotFoundError("no such file here")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", nothing)
    with pytest.raises(UsageError) as caught:
        load_features("clip", Fetching(offline=True))
    said = str(caught.value)
    assert "config.json of openai/clip-vit-base-patch32 is not in the cache of the hub" in said
    address = f"https://huggingface.co/openai/clip-vit-base-patch32/resolve/{CLIP.revision}"
    assert f"Put what is at {address}/config.json and {address}/pytorch_model.bin into" in said
    assert str(home / "torch" / "hub" / "checkpoints" / "openai_clip-vit-base-patch32") in said
    assert caught.value.settings == (Setting("offline", OFF),)
    assert len(CLIP.revision) == 40 and len(CLIP.files["pytorch_model.bin"]) == 64


def test_what_lies_there_already_is_not_asked_for_again(home, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *args, **settings: (home / "nothing").read_bytes())
    folder = by_hand("somebody/net")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=rf"Put what is at \S+/{'0' * 40}/sub/w\.bin into {re.escape(str(folder))}"):
        hub_folder(WANTED, offline=True)


def test_what_moves_between_two_fetches_is_fetched_again(tmp_path, monkeypatch):
    def moving(repository, name, revision, local_files_only):
        path = tmp_path / name.replace("/", "-") / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", moving)
    with pytest.raises(UsageError, match="changed while it was fetched"):
        hub_folder(WANTED, offline=False)
