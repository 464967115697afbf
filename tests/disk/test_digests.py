"""Claim: a large file is read once, and its digest is that of what lies there now."""

import hashlib
import os
import time

import pytest
from owf.core.disk import digests as module
from owf.core.disk.digests import Digests, legacy_hash
from owf.core.progress import Progress

OLD = time.time_ns() - 10**12


class Bytes(Progress):
    """Keeps what it is told."""

    def __init__(self):
        self.parts = []

    def part(self, done, total):
        self.parts.append((done, total))


@pytest.fixture
def reads(monkeypatch):
    """Return the paths that were read whole."""
    seen = []
    real = module.file_sha256
    monkeypatch.setattr(module, "file_sha256", lambda path, progress: seen.append(path) or real(path, progress))
    return seen


def written(path, content, at=OLD):
    path.write_bytes(content)
    os.utime(path, ns=(at, at))
    return path


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once(tmp_path, reads):
    file = written(tmp_path / "a.safetensors", b"one")
    for _ in range(3):
        assert Digests(tmp_path / "cache").sha256(file) == digest(b"one")
    assert reads == [file]


def test_a_changed_file_is_read_again(tmp_path, reads):
    digests, file = Digests(tmp_path / "cache"), tmp_path / "a"
    contents = [(b"one", OLD), (b"two", OLD + 1), (b"three", OLD + 1), (b"two", OLD + 1)]  # by time, by size, back
    for content, at in contents:
        assert digests.sha256(written(file, content, at)) == digest(content)
    assert len(reads) == 4


def test_another_file_of_the_same_size_and_time_is_another(tmp_path):
    digests = Digests(tmp_path / "cache")
    for name, content in (("a", b"one"), ("b", b"two")):
        assert digests.sha256(written(tmp_path / name, content)) == digest(content)


def test_a_link_is_the_file_it_leads_to(tmp_path, reads):
    file = written(tmp_path / "a", b"one")
    (tmp_path / "link").symlink_to(file)
    digests = Digests(tmp_path / "cache")
    assert digests.sha256(tmp_path / "link") == digests.sha256(file) == digest(b"one")
    assert len(reads) == 1
    other = written(tmp_path / "b", b"two")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(other)
    assert digests.sha256(tmp_path / "link") == digest(b"two")


def test_what_was_just_written_is_not_remembered(tmp_path, reads):
    file = written(tmp_path / "a", b"one", time.time_ns())
    digests = Digests(tmp_path / "cache")
    digests.sha256(file)
    same = file.stat().st_mtime_ns
    assert digests.sha256(written(file, b"two", same)) == digest(b"two")  # same size, same tick


def test_what_changes_while_it_is_read_is_not_remembered(tmp_path, monkeypatch):
    file = written(tmp_path / "a", b"one")
    real = module.file_sha256

    def read(path, progress):
        found = real(path, progress)
        written(file, b"other")
        return found

    monkeypatch.setattr(module, "file_sha256", read)
    Digests(tmp_path / "cache").sha256(file)
    assert not list((tmp_path / "cache").rglob("*.json"))


@pytest.mark.parametrize(
    "kept", ["", "null", "[]", "{}", "[" * 10**5, '{"mark": 1, "sha256": 2}', '{"sha256": "0"}', "\ud800"]
)
def test_a_damaged_cache_is_done_without(kept, tmp_path):
    file = written(tmp_path / "a", b"one")
    digests = Digests(tmp_path / "cache")
    digests.sha256(file)
    (place,) = (tmp_path / "cache").rglob("*.json")
    place.write_bytes(kept.encode(errors="surrogatepass"))
    assert digests.sha256(file) == digest(b"one")


def test_a_right_mark_with_a_wrong_digest_is_no_digest(tmp_path):
    file = written(tmp_path / "a", b"one")
    digests = Digests(tmp_path / "cache")
    digests.sha256(file)
    (place,) = (tmp_path / "cache").rglob("*.json")
    place.write_text(place.read_text().replace(digest(b"one"), "not a digest"))
    assert digests.sha256(file) == digest(b"one")


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert Digests(tmp_path / "cache").sha256(written(tmp_path / "a", b"one")) == digest(b"one")


def test_progress_counts_bytes_to_the_end(tmp_path):
    content = bytes(3 * 2**20 + 5)
    progress = Bytes()
    Digests(tmp_path / "cache").sha256(written(tmp_path / "a", content), progress)
    assert progress.parts[-1] == (len(content), len(content))
    assert [done for done, _ in progress.parts] == sorted(done for done, _ in progress.parts)
    assert len(progress.parts) == 4


def test_the_legacy_hash_is_that_of_64_kilobytes_behind_the_first_megabyte(tmp_path):
    content = bytes(range(256)) * 8192  # two megabytes
    expected = hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8]
    assert legacy_hash(written(tmp_path / "a", content)) == expected
    assert legacy_hash(written(tmp_path / "a", b"short")) == digest(b"")[:8]


def test_what_takes_a_files_place_with_its_size_and_time_is_another(tmp_path, reads):
    digests, file = Digests(tmp_path / "cache"), written(tmp_path / "a", b"one")  # as archives unpack: one time for all
    assert digests.sha256(file) == digest(b"one")
    time.sleep(0.05)  # a tick of the system's own clock
    written(tmp_path / "b", b"two").replace(file)
    assert digests.sha256(file) == digest(b"two")
