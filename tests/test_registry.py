"""Claim: a folder of records is read whole: what is missing, misnamed, of another kind or there twice is an error."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from owf.core.registry import records

ROOT = Path(__file__).resolve().parent.parent
DEFINER = "class Thing:\n    def __init__(self, name):\n        self.name = name\n"


@pytest.fixture
def things(tmp_path, monkeypatch):
    """Return a function that writes a package of these files and returns the records in it."""
    package = f"things_of_{tmp_path.name}"
    monkeypatch.syspath_prepend(tmp_path)

    def read(files, **settings):
        folder = tmp_path / package
        folder.mkdir()
        for name, text in {"__init__": "", "thing": DEFINER, **files}.items():
            (folder / f"{name}.py").write_text(text)
        (folder / "within").mkdir()
        (folder / "within" / "__init__.py").touch()
        importlib.invalidate_caches()
        kind = importlib.import_module(f"{package}.thing").Thing
        return [record.name for record in records(f"{package}.thing", "THING", kind, **settings)]

    return read


def holds(name):
    return f"from .thing import Thing\nTHING = Thing({name!r})\n"


def test_every_file_is_found_by_name(things):
    files = {"b": holds("b"), "class_": holds("class"), "a": holds("a"), "shared": "", "z": holds("z")}
    assert things(files, helpers=("shared",)) == ["a", "b", "class", "z"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a": "THONG = 1"}, "a holds no THING"),
        ({"a": "THING = 'a'"}, "a holds no THING that is a Thing"),
        ({"a": holds("b")}, "another name: 'b'"),
        ({"a": holds("a"), "a_": holds("a")}, "two files .* 'a'"),
    ],
    ids=["none", "another kind", "another name", "twice"],
)
def test_what_is_no_registry_is_an_error(files, said, things):
    with pytest.raises(ValueError, match=said):
        things(files)


REGISTRIES = (
    "metrics.metric:all_metrics",
    "datasets.dataset:all_datasets",
    "experiments.experiment:all_experiments",
    "render.formats.format:all_formats",
    "families.family:all_families",
    "adapter.algorithms.algorithm:all_algorithms",
)


def test_a_host_that_calls_the_package_otherwise_finds_the_same_without_torch():
    script = ROOT / "tests" / "support" / "registries_by_path.py"
    run = subprocess.run([sys.executable, "-I", script, ROOT, *REGISTRIES], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [*(f"{registry} {_found(registry)}" for registry in REGISTRIES), "[]"]


def _found(registry):
    place, _, function = registry.partition(":")
    return len(getattr(importlib.import_module(f"owf.core.{place}"), function)())
