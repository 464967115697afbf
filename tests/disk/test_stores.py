"""Stores of a cache: what is damaged is found and made again, and what was used longest ago makes room."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from owf.core.disk.store import SampleStore, measured_in, whole_store
from owf.core.disk.stores import give_up, open_cached, size, stores

HOLD = Path(__file__).parents[1] / "support" / "hold_store.py"


def filled(path, count=3, length=1000):
    with SampleStore(path) as store:
        store.put("a", [(str(i), {"x": np.full(length, float(i))}) for i in range(count)])
    return path


def flip(path, needle):
    """Change one byte within the content that begins with the needle."""
    content = bytearray(path.read_bytes())
    content[content.index(needle) + len(needle)] ^= 1
    path.write_bytes(content)


def test_one_flipped_bit_costs_its_sample_alone(tmp_path):
    path = filled(tmp_path / "s.sqlite")
    flip(path, np.full(8, 1.0).tobytes())
    with whole_store(path) as store:
        assert store.measured() == {("a", "0"), ("a", "2")}
        assert store.get("a", "2")["x"][0] == 2.0
    assert measured_in(path) == {("a", "0"), ("a", "2")}


def test_a_sample_under_the_name_of_another_is_none(tmp_path):
    path = filled(tmp_path / "s.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE samples SET item = '9' WHERE item = '1'")
    db.close()
    with whole_store(path) as store:
        assert store.measured() == {("a", "0"), ("a", "2")}


@pytest.mark.parametrize("damage", [b"hello" * 1000, b"", "cut", "pages"])
def test_a_file_that_is_no_store_any_more_is_begun_anew(tmp_path, damage):
    path = filled(tmp_path / "s.sqlite", 30)
    content = path.read_bytes()
    whole = {"cut": content[: len(content) // 2], "pages": content[:4096] + b"\xff" * (len(content) - 4096)}
    path.write_bytes(damage if isinstance(damage, bytes) else whole[damage])
    with whole_store(path) as store:
        assert store.measured() == frozenset()
        store.put("a", [("1", {"x": np.zeros(3)})])
    assert measured_in(path) == {("a", "1")}


def test_a_store_of_a_release_without_checksums_is_read_and_gets_them(tmp_path):
    path = tmp_path / "s.sqlite"
    with SampleStore(tmp_path / "new.sqlite") as new:
        new.put("a", [("1", {"x": np.zeros(3)})])
        ((_, _, packed),) = new.packed()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE samples (stage TEXT, item TEXT, arrays BLOB, PRIMARY KEY (stage, item))")
        db.execute("INSERT INTO samples VALUES ('a', '1', ?)", (packed,))
    db.close()
    with whole_store(path) as store:
        assert store.get("a", "1")["x"].tolist() == [0, 0, 0]
        store.put("a", [("2", {"x": np.zeros(3)})])
        assert store.measured() == {("a", "1"), ("a", "2")}


def cache_of(folder, *names):
    """Make stores that were used one after the other."""
    paths = [filled(folder / f"{name}.sqlite") for name in names]
    for i, path in enumerate(paths):
        os.utime(path, (i, i))
    return paths


def test_what_was_used_longest_ago_makes_room(tmp_path):
    a, b, c, d = cache_of(tmp_path, "base-a", "drawings-b", "base-c", "base-d")
    other = filled(tmp_path / "bases-read-right.sqlite")
    open_cached(a).close()  # counts as used now
    assert stores(tmp_path) == [a, d, c, b]
    assert give_up(tmp_path, 10 * size(a)) == []
    assert give_up(tmp_path, 2 * size(a)) == [b, c]
    assert stores(tmp_path) == [a, d] and other.exists()


def test_the_one_that_was_used_last_stays_however_large(tmp_path):
    a, b = cache_of(tmp_path, "base-a", "base-b")
    assert give_up(tmp_path, 1) == [a]
    assert stores(tmp_path) == [b]


def test_one_that_another_process_has_open_stays_and_can_be_written(tmp_path):
    a, b, c = cache_of(tmp_path, "base-a", "base-b", "base-c")
    with subprocess.Popen([sys.executable, str(HOLD), str(a)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        os.utime(a, (0, 0))
        assert give_up(tmp_path, 1) == [b]
        holder.stdin.write(b"\n")
        holder.stdin.close()
        assert holder.stdout.readline() == b"put\n"
    assert measured_in(a) > {("b", "1")}
    os.utime(a, (0, 0))
    assert give_up(tmp_path, 1) == [a] and stores(tmp_path) == [c]


def test_a_store_says_what_it_is_about(tmp_path):
    with SampleStore(tmp_path / "s.sqlite") as store:
        assert store.description() == ""
        for text in ("one", "two", "two"):
            store.describe(text)
    with SampleStore(tmp_path / "s.sqlite") as store:
        assert store.description() == "two"
