"""Clip skip: prompts read at an earlier layer of the text encoder, as diffusers and hosts read them."""

from typing import Any

import pytest
import torch
from owf.core import families
from owf.core.errors import UsageError
from owf.core.model import base
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.base import choose_base, load_base
from owf.core.model.memory import Keeping
from owf.core.train.metadata import read_metadata
from small_training import run, small_plan
from tiny_sd import tiny_parts
from tiny_sdxl import tiny_xl_parts

CPU = torch.device("cpu")
PROMPTS = ["a photo of a bag", "1girl, solo, " + ", ".join(["long hair"] * 60)]


def pipeline_of(parts) -> Any:
    from diffusers import StableDiffusionPipeline

    models = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False, **vars(parts)}
    pipeline = StableDiffusionPipeline(**models)
    encoder: Any = pipeline.text_encoder
    if not hasattr(encoder, "text_model"):  # diffusers 0.42 asks for a level of names that transformers 5 dropped
        object.__setattr__(encoder, "text_model", encoder)
    return pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("bases") / "anything-v5"
    pipeline_of(tiny_parts()).save_pretrained(where)
    return where


@pytest.mark.parametrize(("ours", "theirs"), [(None, None), (1, None), (2, 1)])
def test_prompts_are_read_where_diffusers_reads_them(ours, theirs):
    parts = tiny_parts()
    expected, _ = pipeline_of(parts).encode_prompt(PROMPTS, CPU, 1, False, clip_skip=theirs)
    cond = DiffusersDenoiser(tiny_parts(), "tiny", "demo", ours).encode_text(PROMPTS)
    torch.testing.assert_close(cond.context, expected, atol=1e-5, rtol=1e-5)
    assert not cond.context.requires_grad


def test_another_layer_is_another_base_that_the_report_names():
    plain, last, skipping = (DiffusersDenoiser(tiny_parts(), "tiny", "demo", skip) for skip in (None, 1, 2))
    assert plain.digest() == last.digest() != skipping.digest()
    assert (plain.host, last.host, skipping.host) == ({}, {}, {"clip skip": "2"})
    assert not torch.equal(plain.encode_text(PROMPTS).context, skipping.encode_text(PROMPTS).context)


def test_an_offloaded_text_encoder_is_read_there_too():
    plain, away = (DiffusersDenoiser(tiny_parts(), "tiny", "demo", 2) for _ in range(2))
    away.keep(CPU, Keeping("group"))
    assert torch.equal(plain.encode_text(PROMPTS).context, away.encode_text(PROMPTS).context)
    assert away.host == {"clip skip": "2", "base kept": "offload group"}


@pytest.mark.parametrize("skip", [3, 0, -1])  # of two layers
def test_a_layer_that_is_not_there_is_refused(skip):
    with pytest.raises(UsageError, match="2 layers"):
        DiffusersDenoiser(tiny_parts(), "tiny", "demo", skip)


def test_stable_diffusion_xl_has_no_choice():
    with pytest.raises(UsageError, match="by itself"):
        DiffusersDenoiser(tiny_xl_parts(), "tiny", "sdxl", 2)


@pytest.mark.parametrize(("asked", "names", "expected"), [(0, (), 2), (1, (), None), (2, (), 2), (0, ("x",), 2)])
def test_the_name_of_a_base_decides_unless_somebody_does(folder, monkeypatch, asked, names, expected):
    monkeypatch.setattr(base.families, "of_base", lambda *_: families.get("sd15"))  # which are told by their width
    loaded = load_base(choose_base(str(folder), None), CPU, torch.float32, offline=True, clip_skip=asked, names=names)
    assert loaded.clip_skip == expected


@pytest.mark.parametrize(("skip", "said"), [(None, "None"), (2, "2")])
def test_a_training_writes_which_layer_it_read(tmp_path, skip, said):
    plan = small_plan(steps=1, preserve=(), train_text_encoder=True)
    trained = run(tmp_path, plan, DiffusersDenoiser(tiny_parts(), "tiny", "demo", skip))
    assert read_metadata(trained.path)["ss_clip_skip"] == said
