"""What is predicted is spelled in many ways, and all places read the same ones."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from audits import audit
from gaussian_denoiser import GaussianDenoiser, ddpm_schedule
from owf.core.adapter import read_adapter
from owf.core.adapter.naming.stated import metadata
from owf.core.audit.adapter_record import with_base
from owf.core.audit.audit import AuditSetting
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.backends.files.markers import prediction
from owf.core.model.backends.files.weight_files import Header
from owf.core.model.backends.scheduler import schedule_of
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.presets import preset_plan
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from owf.core.verdict.report import AdapterRecord
from safetensors.torch import load_file, save_file
from tiny_sd import tiny_parts, write_tiny_lora

SPELLINGS = {
    "epsilon": ["epsilon", "eps", "Epsilon", " EPS "],
    "v_prediction": ["v", "V", "v_pred", "v-pred", "v_prediction", "v-prediction", "V Prediction", "vpred"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in SPELLINGS.items() for text in texts])
def test_every_place_reads_every_spelling(kind, text):
    assert metadata.prediction_type({"modelspec.prediction_type": text}) == kind
    assert schedule_of({"prediction_type": text}).prediction_type == kind
    for key in ("modelspec.prediction_type", "modelspec.predict_key"):
        assert prediction(Header({}, {key: text}), Path("/x.safetensors"))["prediction_type"] == kind


def test_other_words_are_no_prediction():
    for text in ("sample", "", "vv", "e"):
        assert metadata.prediction_type({"modelspec.prediction_type": text}) is None
        with pytest.raises(UsageError):
            schedule_of({"prediction_type": text})


@pytest.mark.parametrize(("text", "kind"), [("True", "v_prediction"), ("1", "v_prediction"), ("False", None)])
def test_kohya_says_it_by_its_option(text, kind):
    assert metadata.prediction_type({"ss_v_parameterization": text}) == kind


def record(**details):
    return AdapterRecord("x", "0", "kohya", "lora", "sd15", 1.0, 1, 0, 0.1, details, ("first",))


def test_a_lora_for_a_base_that_predicts_otherwise_is_a_warning():
    stated = record(**{"prediction type": "v_prediction"})
    means = torch.zeros(1, 1, 1, 1)
    epsilon, v = (GaussianDenoiser(means, 1.0, ddpm_schedule(kind)) for kind in SPELLINGS)
    assert with_base(stated, v) == stated
    assert with_base(record(), epsilon) == record()
    first, second = with_base(stated, epsilon).warnings
    assert first == "first"
    assert "predicts v_prediction, and this one predicts epsilon" in second


@pytest.mark.parametrize(("stated", "warned"), [("v", True), ("epsilon", False)])
def test_the_report_of_an_audit_says_it_and_stays_valid(stated, warned, tmp_path):
    tensors = load_file(write_tiny_lora(tmp_path / "x.safetensors"))
    save_file(tensors, tmp_path / "x.safetensors", metadata={"modelspec.prediction_type": stated})
    plan = replace(preset_plan("quick"), metrics=("denoiser_drift",), sampling_steps=2, drift_timesteps=2)
    plan = replace(plan, prompts=plan.prompts[:3])
    setting = AuditSetting(tmp_path, tmp_path, default_policy(), SILENT, Batching(8), {}, None)
    base = DiffusersDenoiser(tiny_parts(), "tiny", "demo")
    report = audit(base, read_adapter(tmp_path / "x.safetensors"), 1.0, plan, setting)
    assert report.verdict.decision != "INVALID"
    assert any("predicts v_prediction, and this one predicts epsilon" in w for w in report.adapter.warnings) is warned
