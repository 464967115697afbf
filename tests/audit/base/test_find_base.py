"""Claim: the checkpoint that a LoRA names is found by hash under any name, else by name, and else not at all."""

import hashlib
import os

import pytest
from owf.core.adapter.naming.stated.stated_base import StatedBase
from owf.core.audit.base import find_base as module
from owf.core.audit.base.base_in_use import UsedBase
from owf.core.audit.base.find_base import find_base, used_base
from owf.core.disk.digests import Digests, legacy_hash
from owf.core.errors import UsageError
from owf.core.model.base import BaseChoice
from owf.core.model.settings import checkpoint_folders
from owf.core.progress import SILENT


@pytest.fixture
def digests(tmp_path, monkeypatch):
    """Return digests that keep in `read` whose bytes they read."""

    class Counting(Digests):
        def __init__(self, cache):
            super().__init__(cache)
            self.read = []

        def sha256(self, path, progress=SILENT):
            self.read.append(path.name)
            return super().sha256(path, progress)

    return Counting(tmp_path / "cache")


def checkpoint(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content * 2**20)  # large enough for a legacy hash
    os.utime(path, ns=(10**18, 10**18))
    return path


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "checkpoints"
    return [
        checkpoint(folder / "deep" / "below" / "one_v1.safetensors", b"12"),
        checkpoint(folder / "other_v2.safetensors", b"34"),
        checkpoint(folder / "third.sft", b"56"),
    ]


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def found(stated, tmp_path, digests):
    return find_base(stated, [tmp_path / "checkpoints"], digests, SILENT)


@pytest.mark.parametrize("short", [64, 10])
def test_a_hash_finds_a_file_under_any_name(short, files, tmp_path, digests):
    for file in files:
        base = found(StatedBase("whatever", sha(file)[:short], legacy_hash(file)), tmp_path, digests)
        assert base is not None
        assert (base.choice, base.by) == (BaseChoice(str(file), "file"), "hash")
    assert sorted(digests.read) == sorted(file.name for file in files)  # the glance at 64 kB rules out the others


def test_the_legacy_hash_alone_is_a_hash(files, tmp_path, digests):
    base = found(StatedBase("", "", legacy_hash(files[1])), tmp_path, digests)
    assert base is not None
    assert base.choice.path == str(files[1])
    assert digests.read == []


def test_the_same_glance_does_not_do_where_the_whole_is_known(files, tmp_path, digests):
    twin = tmp_path / "checkpoints" / "a_twin.safetensors"
    content = bytearray(files[0].read_bytes())
    content[:4] = b"else"
    twin.write_bytes(content)
    assert legacy_hash(twin) == legacy_hash(files[0])
    base = found(StatedBase("", sha(files[0]), legacy_hash(files[0])), tmp_path, digests)
    assert base is not None
    assert base.choice.path == str(files[0])


def test_a_namesake_is_read_first_and_right_is_enough(files, tmp_path, digests):
    base = found(StatedBase("third.ckpt", sha(files[2])), tmp_path, digests)
    assert base is not None
    assert base.by == "hash"
    assert digests.read == ["third.sft"]


def test_a_hash_is_worth_more_than_a_name(files, tmp_path, digests):
    base = found(StatedBase("third", sha(files[0]), legacy_hash(files[0])), tmp_path, digests)
    assert base is not None
    assert base.choice.path == str(files[0])


def test_a_name_counts_where_no_hash_does(files, tmp_path, digests):
    for stated in (StatedBase("Other-V2.ckpt"), StatedBase("other_v2-fp16", "f" * 64, "f" * 8)):
        base = found(stated, tmp_path, digests)
        assert base is not None
        assert (base.choice.path, base.by) == (str(files[1]), "name")


def test_a_diffusers_folder_is_found_by_its_name_and_its_files_are_no_checkpoints(tmp_path, digests):
    whole = tmp_path / "checkpoints" / "other_v2"
    checkpoint(whole / "unet" / "diffusion_pytorch_model.safetensors", b"78")
    (whole / "model_index.json").write_text("{}")
    base = found(StatedBase("other_v2"), tmp_path, digests)
    assert base is not None
    assert base.choice == BaseChoice(str(whole), "folder")
    inside = whole / "unet" / "diffusion_pytorch_model.safetensors"
    assert found(StatedBase("", sha(inside), legacy_hash(inside)), tmp_path, digests) is None


@pytest.mark.parametrize(
    "stated",
    [
        StatedBase(),
        StatedBase("model.safetensors"),
        StatedBase("elsewhere"),
        StatedBase("one"),
        StatedBase("", "f" * 64),
    ],
)
def test_what_is_not_there_or_not_named_is_not_found(stated, files, tmp_path, digests):
    checkpoint(tmp_path / "checkpoints" / "model.safetensors", b"90")
    assert found(stated, tmp_path, digests) is None


def test_a_file_that_cannot_be_read_is_not_the_one(files, tmp_path, digests, monkeypatch):
    real = module.legacy_hash

    def read(path):
        if path.name == "other_v2.safetensors":
            raise PermissionError(13, "no")
        return real(path)

    monkeypatch.setattr(module, "legacy_hash", read)
    assert found(StatedBase("", sha(files[2]), legacy_hash(files[2])), tmp_path, digests) is not None


def test_a_folder_that_is_not_there_is_said(tmp_path, digests):
    with pytest.raises(UsageError, match="checkpoints cannot be read"):
        found(StatedBase("x9"), tmp_path, digests)


def test_the_base_in_use_is_hashed_as_far_as_it_is_compared(files, digests):
    choice = BaseChoice(str(files[0]), "file")
    whole, legacy = sha(files[0]), legacy_hash(files[0])
    for stated, expected in [
        (StatedBase("x"), UsedBase("n", family="sd15")),
        (StatedBase("x", "f" * 64, "f" * 8), UsedBase("n", "", legacy, family="sd15")),
        (StatedBase("x", "f" * 64), UsedBase("n", whole, family="sd15")),
        (StatedBase("x", whole, legacy), UsedBase("n", whole, legacy, family="sd15")),
    ]:
        assert used_base(choice, "n", "sd15", stated, digests, SILENT) == expected
    assert len(digests.read) == 2
    hub = used_base(BaseChoice("a/b", "hub"), "a/b", "sd15", StatedBase("x", whole), digests, SILENT)
    assert hub == UsedBase("a/b", family="sd15")
    turbo = used_base(BaseChoice("a/z-image-turbo", "hub"), "a/z-image-turbo", "z_image", StatedBase(), digests, SILENT)
    assert turbo.title == "Z-Image-Turbo"


def test_folders_are_read_from_the_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text('[folders]\ncheckpoints = ["/a", "~/b"]\n[bases]\n')
    assert [str(path) for path in checkpoint_folders()] == [str(tmp_path.__class__("/a")), str(tmp_path / "b")]
    (tmp_path / "config.toml").write_text("[bases]\n")
    assert checkpoint_folders() == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("folders = 1", r"\[folders\] must be a table"),
        ("[folders]\nloras = []", "'loras'.*checkpoints"),
        ('[folders]\ncheckpoints = "/a"', "must be a list"),
        ("[folders]\ncheckpoints = [1]", "must be a list"),
        ('[folders]\ncheckpoints = [""]', "must be a list"),
        ("[folder]\n", r"'folder'.*\[bases\] and \[folders\]"),
    ],
)
def test_folders_that_mean_nothing_are_said(text, words, tmp_path, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        checkpoint_folders()
