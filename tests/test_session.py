"""What one call keeps between LoRAs, and where it writes."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from owf.cli import progress
from owf.cli import session as module
from owf.cli.arguments import parser
from owf.cli.lock import only_one
from owf.cli.session import Session
from owf.core import features
from owf.core.adapter import read_adapter
from owf.core.base import DEMO_LORAS, BaseChoice, choose_base
from owf.core.errors import UsageError

_spec = importlib.util.spec_from_file_location("render_samples", Path(__file__).parent / "render" / "samples.py")
assert _spec is not None and _spec.loader is not None
samples = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(samples)


@pytest.fixture
def start(monkeypatch):
    """Return a maker of sessions on a base of a digest, with nothing to load and the sample report to give."""
    monkeypatch.setattr(module, "audit_change", lambda *_: samples.report())
    monkeypatch.setattr(module, "AdapterChange", lambda *_: SimpleNamespace(refusal=lambda: refusals.get("why")))
    refusals: dict[str, str] = {}

    def make(digest: str = "d1", *arguments: str) -> Session:
        options = parser().parse_args(["--progress", "none", "--batch", "1", *arguments])
        base = SimpleNamespace(family="demo", device=torch.device("cpu"), digest=lambda: digest, components={})
        return Session(options, (choose_base(None, "demo"), base))

    make.refusals = refusals  # pyright: ignore[reportFunctionMemberAccess]
    return make


@pytest.fixture
def adapter():
    return read_adapter(DEMO_LORAS[0])


@pytest.fixture
def loaded(monkeypatch):
    names: list[str] = []
    monkeypatch.setattr(features, "load_features", lambda name, *_: names.append(name) or SimpleNamespace(digest=name))
    return names


def test_the_feature_network_is_loaded_once_for_all_loras(start, adapter, monkeypatch, tmp_path):
    loads = []
    monkeypatch.setattr(features, "load_features", lambda name, *_: loads.append(name) or SimpleNamespace(digest="one"))
    session = start()
    for name in ("a", "b", "c"):
        session.audit(adapter, tmp_path / name)
    assert loads == ["demo"]


def test_without_kid_no_feature_network_is_loaded(start, adapter, loaded, tmp_path):
    start("d1", "--skip", "kid").audit(adapter, tmp_path)
    assert loaded == []


def test_nothing_is_fetched_for_a_lora_that_does_not_apply(start, adapter, loaded, tmp_path):
    start.refusals["why"] = "384 of 438 tensors would take no effect"
    start().audit(adapter, tmp_path)
    assert loaded == []


def test_a_folder_belongs_to_one_base_strength_and_plan(start, adapter, loaded, tmp_path):
    cases = [("d1",), ("d2",), ("d1", "--strength", "0.5"), ("d1", "--seed", "1"), ("d1",)]
    folders = [start(*case).audit(adapter, tmp_path)[1] for case in cases]
    assert folders[0] == folders[-1]
    assert len(set(folders)) == 4


def test_a_folder_belongs_to_one_feature_network_type_and_device(start, adapter, monkeypatch, tmp_path):
    network = SimpleNamespace(digest="one")
    monkeypatch.setattr(features, "load_features", lambda *_: network)

    def folder(*arguments, device="cpu"):
        session = start("d1", *arguments)
        session._loaded[1].device = torch.device(device)
        return session.audit(adapter, tmp_path)[1]

    first = folder()
    assert folder("--dtype", "float32") == first, "auto is float32 on a CPU"
    others = [folder("--dtype", "float16"), folder(device="cuda"), folder("--skip", "kid")]
    network.digest = "two"  # other weights behind the same name
    assert len({first, *others, folder()}) == 5


def test_the_same_audit_twice_at_once_is_refused_and_breaks_nothing(start, adapter, loaded, tmp_path):
    _, folder = start().audit(adapter, tmp_path)
    samples_of_the_other = folder / "samples-0.sqlite"
    with only_one(folder):
        samples_of_the_other.touch()
        with pytest.raises(UsageError, match="Another run"):
            start().audit(adapter, tmp_path)
        assert samples_of_the_other.exists()
    start().audit(adapter, tmp_path)
    assert not samples_of_the_other.exists()


def test_time_spent_on_what_is_cached_does_not_count_in_the_eta(monkeypatch, capsys):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    lines = progress.JsonLines()
    lines.total(40)
    lines.stage("Base: drawing")
    now += 60  # read from the cache
    lines.stage("LoRA: drawing")
    now += 5
    lines.advance(10)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["eta_seconds"] == pytest.approx(15)


def test_another_base_is_loaded_when_the_choice_changes(start, adapter, loaded, monkeypatch, tmp_path):
    session = start()
    other = SimpleNamespace(family="demo", device=torch.device("cpu"), digest=lambda: "other", components={})
    monkeypatch.setattr(module, "load_chosen", lambda *_: other)
    monkeypatch.setattr(module, "choose_base", lambda *_: BaseChoice("elsewhere", "folder"))
    first = start().audit(adapter, tmp_path / "x")[1].name
    assert session.audit(adapter, tmp_path)[1].name == first
