"""Every experiment of `owf-experiment` on a tiny Stable Diffusion 1.5 and XL: run to its end, and then done."""

import shutil

import pytest
import tiny_sd
import tiny_sdxl
from diffusers import StableDiffusionPipeline
from owf.core.experiments import human
from owf.core.experiments.lab import workshop
from torch_that_trains import torch_that_trains

__all__ = ["torch_that_trains"]


@pytest.fixture(scope="module", params=("sd15", "sdxl"))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def base(family, tmp_path_factory):
    folder = tmp_path_factory.mktemp(family) / "tiny"
    if family == "sdxl":
        return tiny_sdxl.save_folder(tiny_sdxl.tiny_xl_parts(), folder)
    models = vars(tiny_sd.tiny_parts())
    pipeline = StableDiffusionPipeline(**models, safety_checker=None, feature_extractor=None)
    pipeline.save_pretrained(folder)
    return folder


ROWS = {
    "first3": ("DreamBooth", "DreamBooth with drift correction"),
    "table1": ("DB-DC", "CD"),
    "table2": ("DB", "CD-DC\\pr"),
    "frontier": ("pictures 1",),
    "weightless": ("LoRA", "textual inversion", "reference attention"),
    "sequence": ("continued with drift correction", "stacked"),
    "predict": ("plain", "cd"),
    "human": ("DB", "CD-DC"),
}
"""Experiment -> which of its rows are made here."""
TABLES = ("first3", "table1", "table2", "frontier", "weightless", "sequence")
"""Those whose page has a line for each row."""
OF_ONE_TEXT_ENCODER = ("CD", "CD-DC", "CD-DC\\pr", "cd", "textual inversion")
"""Rows that learn a word, which Stable Diffusion XL reads twice."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_an_experiment_runs_to_its_end_and_is_done_then(called, brief, concepts, family, tmp_path, monkeypatch, name):
    rows = [row for row in ROWS[name] if family == "sd15" or row not in OF_ONE_TEXT_ENCODER]
    asked = (name, "--only", ",".join(rows), *brief)
    if name != "sequence":  # that takes two
        shutil.copytree(concepts / "bag", tmp_path / "one" / "bag")
        asked = (*asked, "--concepts", tmp_path / "one")
    code, text = called(*asked)
    assert code == 0, text
    out = tmp_path / "out"
    page = (out / "experiments.md").read_text()
    assert f"<!-- {name}: written by owf-experiment {name} -->" in page
    for row in rows if name in TABLES else ():
        assert f"| {row} |" in page, row
    if name == "human":
        assert (out / human.PAGE).read_text().count("data:image")
    monkeypatch.setattr(workshop, "train", lambda *_: pytest.fail("it was trained again"))
    monkeypatch.setattr(workshop, "invert", lambda *_: pytest.fail("it was trained again"))
    assert called(*asked)[0] == 0
    assert (out / "experiments.md").read_text() == page
