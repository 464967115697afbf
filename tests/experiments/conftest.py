"""What tests run experiments on: two concepts of two pictures, few rows of everything, and the command itself."""

import dataclasses

import pytest
from owf.cli import experiment
from owf.core.experiments import frontier, human, predict, table2
from owf.core.experiments.lab import examiner, workshop
from owf.core.experiments.lab.likeness import Seers
from owf.core.metrics.images.features import load_features
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.sample import Sampling
from owf.core.plan import presets
from owf.core.plan.audit_plan import Stage
from owf.core.train import base_check
from PIL import Image


@pytest.fixture(scope="module")
def concepts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("concepts")
    for place, word in enumerate(("bag", "coat")):
        (folder / word).mkdir()
        for i in range(2):
            Image.new("RGB", (64, 64), (90 * place, 60 * i, 120)).save(folder / word / f"{i}.png")
    return folder


@pytest.fixture
def called(base, concepts, tmp_path, capsys):
    """Return a function that calls the command on the tiny base, and returns its code and its words."""

    def run(*arguments):
        places = ["--base", base, "--out", tmp_path / "out", "--cache", tmp_path / "cache", "--concepts", concepts]
        how = ["--offline", "--device", "cpu", "--progress", "none"]
        code = experiment.main([str(argument) for argument in (*places, *how, *arguments)])
        found = capsys.readouterr()
        return code, " ".join((found.out + found.err).split())

    return run


@pytest.fixture
def brief(monkeypatch):
    """Return what makes trainings short; audits have few rows of everything, and the demo's network, which ships."""
    monkeypatch.setattr(drawings, "SAMPLING", Sampling(2, 1.0))
    monkeypatch.setattr(workshop, "SAMPLING", Sampling(2, 1.0))
    monkeypatch.setattr(base_check, "SAMPLING", Sampling(2, 1.0))
    monkeypatch.setattr(workshop, "load_networks", lambda *_: (load_features("demo"),))
    monkeypatch.setattr(examiner, "load_seers", lambda *_: Seers({"concept_own": load_features("demo")}, None))
    monkeypatch.setattr(human, "METRICS", ("denoiser_drift", "color", "kid"))
    monkeypatch.setattr(human, "FETCHED", ())
    monkeypatch.setattr(table2, "DRAWN", 2)
    monkeypatch.setattr(frontier, "WEIGHTS", (3.0, 0.0))
    monkeypatch.setattr(predict, "RANKS", (2,))
    monkeypatch.setattr(predict, "RATES", (1.0,))
    monkeypatch.setattr(predict, "STEPS", (1.0,))
    plan = presets.quick_plan()
    colors, others = ([p for p in plan.prompts if bool(p.term) == is_color][:2] for is_color in (True, False))
    short = dataclasses.replace(
        plan,
        prompts=(*colors, *others),
        images_per_prompt=1,
        sampling_steps=2,
        drift_timesteps=2,
        classes=plan.classes[:2],
        per_class=2,
        stages=(Stage(2, 1),),
        features="demo",
    )
    monkeypatch.setitem(presets.PRESETS, "quick", lambda: short)
    return "--steps", "2", "--rank", "2", "--prior-images", "2"
