"""What one call keeps between LoRAs, and where it writes."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
import report_samples as samples
import torch
from owf.cli import session as module
from owf.cli.arguments.arguments import parser
from owf.cli.output import progress
from owf.cli.session import Session
from owf.core.adapter import read_adapter
from owf.core.audit import session as core
from owf.core.demo import DEMO_LORAS
from owf.core.disk.lock import only_one
from owf.core.errors import UsageError
from owf.core.metrics.images import features
from owf.core.model.base import BaseChoice, choose_base
from owf.core.model.diffusion.denoiser import Denoiser
from safetensors.torch import save_file


def a_base(digest: str) -> SimpleNamespace:
    """Return what a session asks of a base."""
    return SimpleNamespace(
        name="OWF demo base",
        family="demo",
        device=torch.device("cpu"),
        dtype=torch.float32,
        latent_shape=(4, 8, 8),
        resolution=64,
        made_for=64,
        resize=lambda side: None,
        digest=lambda: digest,
        components={},
    )


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Return a maker of sessions on a base of a digest, with nothing to load and the sample report to give."""
    monkeypatch.setattr(core, "audit_change", lambda *_: samples.report())
    refusals: dict[str, str] = {}

    def change(components, adapter, strength, keeping, below):
        key = (adapter.key, str(strength))
        return SimpleNamespace(
            refusal=lambda: refusals.get("why"), key=key, claimed=(), is_repeatable=True, reads_as_base=True
        )

    monkeypatch.setattr(module, "AdapterChange", change)

    def make(digest: str = "d1", *arguments: str) -> Session:
        options = parser().parse_args(["--progress", "none", "--batch", "1", "--out", str(tmp_path), *arguments])
        session = Session(options)
        session._loaded = choose_base(None, "demo"), cast(Denoiser, a_base(digest))
        return session

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
    for _ in range(3):
        session.audit(adapter)
    assert loads == ["demo"]


def test_without_kid_no_feature_network_is_loaded(start, adapter, loaded, tmp_path):
    start("d1", "--skip", "kid").audit(adapter)
    assert loaded == []


def test_metrics_without_a_limit_are_said_before_anything_is_loaded(start, tmp_path, capsys):
    start("d1", "--metrics", "dino_drift")
    assert "owf-audit: No measured metric has a limit in the policy" in capsys.readouterr().err
    (tmp_path / "own.toml").write_text('[[limit]]\nmetric = "dino_drift"\nestimate = "dino_drift"\nlimit = 0.3\n')
    start("d1", "--metrics", "dino_drift", "--policy", str(tmp_path / "own.toml"))
    start("d1", "--metrics", "dino_drift,kid")
    assert capsys.readouterr().err == ""


def test_nothing_is_fetched_for_a_lora_that_does_not_apply(start, adapter, loaded, tmp_path):
    start.refusals["why"] = "384 of 438 tensors would take no effect"
    start().audit(adapter)
    assert loaded == []


def test_a_folder_belongs_to_one_base_strength_and_plan(start, adapter, loaded, tmp_path):
    cases = [("d1",), ("d2",), ("d1", "--strength", "0.5"), ("d1", "--seed", "1"), ("d1",)]
    folders = [start(*case).audit(adapter).folder for case in cases]
    assert folders[0] == folders[-1]
    assert len(set(folders)) == 4


def test_a_folder_belongs_to_one_feature_network_type_and_device(start, adapter, monkeypatch, tmp_path):
    network = SimpleNamespace(digest="one")
    monkeypatch.setattr(features, "load_features", lambda *_: network)

    def folder(*arguments, **changed):
        session = start("d1", *arguments)
        vars(session._loaded[1]).update(changed)
        return session.audit(adapter).folder

    first = folder()
    changes = [{"dtype": torch.float16}, {"device": torch.device("cuda")}, {"latent_shape": (4, 16, 16)}]
    others = [*(folder(**changed) for changed in changes), folder("--skip", "kid")]
    network.digest = "two"  # other weights behind the same name
    assert folder() != first
    assert len({first, *others, folder()}) == 6


def test_the_same_audit_twice_at_once_is_refused_and_breaks_nothing(start, adapter, loaded, tmp_path):
    folder = start().audit(adapter).folder
    samples_of_the_other = folder / "samples-0.sqlite"
    with only_one(folder):
        samples_of_the_other.touch()
        with pytest.raises(UsageError, match="Another run"):
            start().audit(adapter)
        assert samples_of_the_other.exists()
    start().audit(adapter)
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
    monkeypatch.setattr(module, "load_chosen", lambda *_: a_base("other"))
    monkeypatch.setattr(module, "choose_base", lambda *_: BaseChoice("elsewhere", "folder"))
    first = start().audit(adapter).folder.name
    assert session.audit(adapter).folder.name == first


def test_auto_prefers_the_checkpoint_that_the_lora_names(start, adapter, loaded, monkeypatch, tmp_path, capsys):
    """The base of the family is taken where it is in no folder, and the call says which it was and why."""
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(f'[folders]\ncheckpoints = ["{tmp_path / "models"}"]\n')
    (tmp_path / "models").mkdir()
    named = replace(adapter, training=replace(adapter.training, base_model="some_model_v3.safetensors"))
    loads: list[BaseChoice] = []
    monkeypatch.setattr(module, "load_chosen", lambda choice, *_: loads.append(choice) or a_base("other"))
    session = start("d1", "--base", "auto")
    session._options.progress = "bar"
    session._loaded = None
    monkeypatch.setattr(module, "outlook", lambda *_: "")
    session.audit(named)
    save_file({"x": torch.ones(1)}, tmp_path / "models" / "Some-Model-V3.safetensors")
    session.audit(named)
    assert loads == [
        choose_base(None, "demo"),
        BaseChoice(str(tmp_path / "models" / "Some-Model-V3.safetensors"), "file"),
    ]
    shown = " ".join(capsys.readouterr().out.split())
    assert "some_model_v3.safetensors, which is in no folder of checkpoints" in shown
    assert "The base that the LoRA names, by its name" in shown


def test_another_base_than_the_one_of_training_is_in_the_report(start, adapter, loaded, monkeypatch):
    sentences = []

    def audit(*given):
        sentences.append(given[-1].other_base)
        return samples.report()

    monkeypatch.setattr(core, "audit_change", audit)
    start().audit(adapter)
    start().audit(replace(adapter, training=replace(adapter.training, base_model="some_model_v3")))
    assert sentences[0] == ""
    assert "trained on some_model_v3, and the base in use is called OWF demo base" in sentences[1]


def test_parts_of_a_stage_are_shown_behind_its_title(capsys):
    lines = progress.JsonLines()
    lines.stage("Hashing x")
    lines.part(1, 4)  # at once: a line was just written
    lines._last = 0.0
    lines.part(2, 4)
    lines._last = 0.0
    lines.part(3, None)
    stages = [json.loads(line)["stage"] for line in capsys.readouterr().out.splitlines()]
    assert stages == ["Hashing x", "Hashing x 50%", "Hashing x"]
