"""Distillation: the paired change of a distance, which pictures it compares, and which bases are asked."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from audits import audit
from owf.cli.audit import main
from owf.core.adapter import read_adapter
from owf.core.audit.audit import AuditSetting
from owf.core.audit.evidence.cost import audit_cost
from owf.core.audit.request import AuditRequest, not_asked, plan_for
from owf.core.errors import InvalidError, UsageError
from owf.core.metrics.distillation import measure_distillation, summarise_distillation
from owf.core.metrics.evidence import Drawings, LongDrawings
from owf.core.metrics.metric import Tools
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling, generate
from owf.core.plan import presets
from owf.core.plan.audit_plan import STEP_FACTOR, STEP_PROMPTS
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from progress_log import Heard
from safetensors.torch import save_file
from tiny_sdxl import kohya, lora_factors, save_folder, tiny_xl_parts

CPU = torch.device("cpu")


class Halves:
    """A network on pairs: how far the mean of the upper picture is from that of the lower one."""

    name, digest = "halves", "0"

    def __call__(self, images):
        upper, lower = images.double().chunk(2, dim=2)
        return (upper.mean((1, 2, 3)) - lower.mean((1, 2, 3))).abs().reshape(-1, 1).numpy()


def test_the_change_is_paired_and_its_floor_that_of_other_noise():
    base, added = np.array([0.1, 0.3, 0.5, 0.7]), np.array([0.1, 0.2, 0.3, 0.2])
    found = summarise_distillation((base, base + added, base[::-1])).estimates
    half = 3.182446 * added.std(ddof=1) / 2  # Student's t with three degrees of freedom
    more = found["steps_apart_more"]
    assert (more.value, more.low, more.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))
    assert more.floor == pytest.approx(3.182446 * (base[::-1] - base).std(ddof=1) / 2)
    assert found["steps_apart_base"].value == pytest.approx(0.4)
    assert found["steps_apart_tuned"].value == pytest.approx(0.6)


def _flat(values):
    return np.repeat(np.array(values, np.uint8), 3 * 4 * 4).reshape(-1, 3, 4, 4)


def test_each_models_own_pictures_of_the_same_noise_are_compared():
    """Of six prompts every second one has a picture in more steps; means of pictures are the distances' parts."""
    plan = dataclasses.replace(presets.quick_plan(), prompts=presets.quick_plan().prompts[:6], sampling_steps=4)
    few = Drawings(_flat([10, 0, 20, 0, 30, 0]), _flat([10, 0, 20, 0, 30, 0]), _flat([50, 0, 50, 0, 50, 0]))
    long = LongDrawings(_flat([11, 22, 33]), _flat([15, 26, 37]), _flat([50, 51, 52]), range(0, 6, 2))
    heard = Heard()
    seen = measure_distillation(plan, Tools(CPU, {"distillation": Halves()}, heard), few, long)
    assert seen.estimates["steps_apart_base"].value == pytest.approx(2.0)
    assert seen.estimates["steps_apart_tuned"].value == pytest.approx(6.0)
    assert seen.estimates["steps_apart_more"].value == pytest.approx(4.0)
    assert (seen.facts["steps"], seen.facts["more_steps"], seen.facts["prompts"]) == (4, 16, 3)
    assert sum(heard.rows) == 3 * 6 + 3 * 3


def test_distances_that_are_no_numbers_are_refused():
    class Broken(Halves):
        def __call__(self, images):
            return np.full((len(images), 1), math.nan)

    few, places = Drawings(_flat([1]), _flat([1]), _flat([1])), range(0, 1)
    long = LongDrawings(_flat([1]), _flat([1]), _flat([1]), places)
    with pytest.raises(InvalidError, match="NaN"):
        measure_distillation(presets.quick_plan(), Tools(CPU, {"distillation": Broken()}, SILENT), few, long)


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_the_pictures_in_more_steps_are_spread_over_the_prompts(preset):
    plan = presets.preset_plan(preset)
    places = plan.step_places
    assert STEP_PROMPTS / 2 < len(places) <= STEP_PROMPTS
    assert all(place % plan.images_per_prompt == 0 and place < plan.images for place in places)
    assert places[-1] >= plan.images - 2 * places.step


def test_its_rows_are_those_of_more_steps_for_each_side():
    plan = dataclasses.replace(presets.quick_plan(), metrics=("distillation",), sampling_steps=8, guidance_scale=1.0)
    cost = audit_cost(plan, 0)
    assert cost.images == 8 * (plan.images + STEP_FACTOR * len(plan.step_places))
    assert cost.compared == 3 * (plan.images + len(plan.step_places))


def _plan(metrics, name):
    plan, _ = plan_for(AuditRequest(metrics=metrics), "sdxl", 1024, names=(name,))
    return plan


def test_only_bases_of_few_steps_are_asked():
    both = ("denoiser_drift", "distillation")
    assert _plan(both, "stabilityai/sdxl-turbo").metrics == both
    plan = _plan(both, "stabilityai/stable-diffusion-xl-base-1.0")
    assert plan.metrics == ("denoiser_drift",)
    assert not_asked(AuditRequest(metrics=both), plan).startswith("Not asked: distillation, ")
    with pytest.raises(UsageError, match="Not asked: distillation"):
        _plan(("distillation",), "stabilityai/stable-diffusion-xl-base-1.0")


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    path = tmp_path_factory.mktemp("lora") / "lora.safetensors"
    save_file({k: v.contiguous() for k, v in kohya(lora_factors(tiny_xl_parts())).items()}, path)
    return path


def test_an_audit_draws_the_same_noise_in_more_steps(lora, tmp_path):
    denoiser = DiffusersDenoiser(tiny_xl_parts(), "tiny turbo", "sdxl")
    plan = _plan(("distillation",), "tiny turbo")
    plan = dataclasses.replace(plan, prompts=plan.prompts[:3], images_per_prompt=1, sampling_steps=2)
    seen = {}

    class Watching(Halves):
        def __call__(self, images):
            seen.setdefault("pairs", []).append(images.clone())
            return super().__call__(images)

    def found(strength):
        seen.clear()
        folder = tmp_path / str(strength)
        folder.mkdir()
        networks = {"distillation": Watching()}
        setting = AuditSetting(folder, tmp_path, default_policy(), SILENT, Batching(16), networks, None)
        report = audit(denoiser, read_adapter(lora), strength, plan, setting)
        assert report.verdict.decision != "INVALID", report.verdict.reasons
        return report.measurements["distillation"].estimates

    unchanged = found(0.0)
    assert unchanged["steps_apart_more"].value == 0 and (unchanged["steps_apart_more"].floor or 0) > 0
    changed = found(1.0)
    assert changed["steps_apart_more"].value != 0
    assert changed["steps_apart_base"] == unchanged["steps_apart_base"]
    few, many = torch.cat(seen["pairs"])[:3].chunk(2, dim=2)
    for images, steps in ((few, 2), (many, 2 * STEP_FACTOR)):
        prompts = [prompt.text for prompt in plan.prompts]
        drawn, _ = generate(denoiser, prompts, [0] * 3, Sampling(steps, 1.0), Batching(16))
        assert torch.equal(images, drawn)


@pytest.mark.parametrize("again", [(), ("rejudge",)])
def test_the_report_says_that_it_was_not_asked(lora, again, tmp_path, monkeypatch):
    short = dataclasses.replace(presets.quick_plan(), sampling_steps=2)
    short = dataclasses.replace(short, prompts=short.prompts[:3])
    monkeypatch.setitem(presets.PRESETS, "quick", lambda: short)
    folder = save_folder(tiny_xl_parts(), tmp_path / "tinyXL")
    arguments = [lora, "--base", folder, "--metrics", "denoiser_drift,distillation", "--offline", "--progress", "none"]
    command = [*map(str, arguments), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    for _ in range(1 + len(again)):  # the second finds what the first measured, and judges it anew
        assert main(command) in (0, 1, 3)
    (file,) = (tmp_path / "out").glob("*/report.json")
    report = json.loads(file.read_text())
    assert list(report["measurements"]) == ["denoiser_drift"]
    assert any(reason.startswith("Not asked: distillation") for reason in report["verdict"]["reasons"])
