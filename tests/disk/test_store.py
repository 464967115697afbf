"""Samples survive, are never half-written, and broken files are refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from owf.core.disk.store import SampleStore
from owf.core.errors import UsageError
from safetensors import SafetensorError

PUT_FOREVER = Path(__file__).parents[1] / "support" / "put_forever.py"


def test_returns_what_was_put(tmp_path):
    path = tmp_path / "s.sqlite"
    with SampleStore(path) as store:
        store.put("a", [("1", {"x": np.arange(3.0), "y": np.zeros((2, 0), np.uint8)})])
    with SampleStore(path) as store:
        sample = store.get("a", "1")
        assert sample is not None
        assert sample["x"].tolist() == [0, 1, 2]
        assert store.get("a", "2") is None
        assert not store.has("b", "1")


def test_a_put_is_all_or_nothing(tmp_path):
    with SampleStore(tmp_path / "s.sqlite") as store:
        with pytest.raises((TypeError, AttributeError, SafetensorError)):
            store.put("a", [("1", {"x": np.zeros(1)}), ("2", {"x": object()})])  # pyright: ignore[reportArgumentType]
        assert not store.has("a", "1")


def test_kill_9_loses_nothing_that_was_put(tmp_path):
    path = tmp_path / "s.sqlite"
    with subprocess.Popen([sys.executable, str(PUT_FOREVER), str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        put = [process.stdout.readline() for _ in range(20)]  # each said once it was put
        process.kill()
    with SampleStore(path) as store:
        count = sum(stage == "a" for stage, _ in store.measured())
        assert count >= len(put)
        for i in range(count):
            sample = store.get("a", str(i))
            assert sample is not None
            assert (sample["x"] == i).all()


def test_a_damaged_sample_is_a_usage_error(tmp_path):
    path = tmp_path / "s.sqlite"
    with SampleStore(path) as store:
        store.put("a", [("1", {"x": np.zeros(3)})])
        store._db.execute("UPDATE samples SET arrays = x'00112233'")
        with pytest.raises(UsageError, match="damaged"):
            store.get("a", "1")


def test_a_file_that_is_no_store_is_a_usage_error(tmp_path):
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(UsageError, match="cannot be used"):
        SampleStore(path)
