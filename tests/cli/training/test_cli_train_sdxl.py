"""`owf-train` and `owf-audit` on a tiny Stable Diffusion XL, from the command line, as its user calls them."""

import io
import json
import signal
from contextlib import redirect_stderr, redirect_stdout
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from owf.cli.audit import main as audit_main
from owf.cli.train import main
from owf.cli.training.progress import StepLines
from owf.core.adapter import read_adapter
from owf.core.audit.change import BESIDE
from owf.core.plan import presets
from owf.core.train.data.bank import read_bank, shipped_bank
from owf.core.train.metadata import read_metadata
from safetensors.torch import load_file
from tiny_sdxl import pipeline_of, save_folder, tiny_xl_parts

CONCEPT = Path(__file__).resolve().parents[3] / "demo" / "concept"
OPTIONS = ("--trigger", "sks", "--class", "pullover", "--steps", "6", "--batch", "2", "--rate", "1e-2", "--rank", "4",
           "--drift-every", "3", "--name", "xl", "--no-audit", "--offline", "--progress", "json")  # fmt: skip
COMPONENTS = {"lora_unet", "lora_te1", "lora_te2"}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Return folders of a base that predicts noise, and of one called NoobAI that predicts v and ends in pure noise."""
    from diffusers import EulerDiscreteScheduler

    folder, parts = tmp_path_factory.mktemp("bases"), tiny_xl_parts()
    save_folder(parts, folder / "xl")
    settings = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    parts.scheduler = EulerDiscreteScheduler.from_config(parts.scheduler.config, **settings)
    save_folder(parts, folder / "noobai-vpred")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    (folder / "bank.txt").write_text("\n".join(read_bank(shipped_bank("sdxl"))[::30]))
    return folder


def called(command, *arguments):
    """Return exit code, JSON lines and stderr of a call in this process."""
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr:
        code = command([str(argument) for argument in arguments])
    return code, [json.loads(line) for line in stdout.getvalue().splitlines()], stderr.getvalue()


def train(base, out, cache, *more):
    where = ("--base", base, "--out", out, "--cache", cache, "--bank", cache / "bank.txt")
    return called(main, CONCEPT, *OPTIONS, *where, *more)


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def components(path):
    return {name.split("_text_model")[0].split("_down")[0].split("_mid")[0].split("_up")[0] for name in load_file(path)}


@pytest.fixture(scope="module")
def trained(bases, cache, tmp_path_factory):
    """Return the file of a training of all three networks, and its lines."""
    out = tmp_path_factory.mktemp("out")
    code, lines, stderr = train(bases / "xl", out, cache, "--train-text-encoder")
    assert code == 0, stderr
    return out / "xl.safetensors", lines


def test_the_unet_and_both_text_encoders_are_trained_and_their_drift_corrected(trained):
    path, lines = trained
    assert components(path) == COMPONENTS
    assert read_metadata(path)["modelspec.architecture"] == "stable-diffusion-xl/lora"
    assert read_adapter(path).algorithms == ("lora",)
    changed = {name.split("_text_model")[0] for name, value in load_file(path).items() if "up" in name and value.any()}
    assert {"lora_te1", "lora_te2"} <= changed
    steps = [line for line in lines if line["event"] == "step"]
    assert steps[-1]["terms"]["dc"] > 0 and steps[-1]["drift"] > 0
    assert steps[-1]["gain"] > 0, "the concept is denoised better than by the base"


def test_without_text_encoders_the_file_is_of_the_unet_alone(bases, cache, tmp_path):
    code, _, stderr = train(bases / "xl", tmp_path, cache)
    assert code == 0, stderr
    assert components(tmp_path / "xl.safetensors") == {"lora_unet"}


def test_an_interrupted_training_continues_to_the_same_bytes(trained, bases, cache, tmp_path, monkeypatch):
    step = StepLines.step

    def stopping(self, record):
        step(self, record)
        if record.step == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StepLines, "step", stopping)
        code, lines, stderr = train(bases / "xl", tmp_path, cache, "--train-text-encoder")
    assert (code, lines[-1]["steps"]) == (130, 3), stderr
    code, _, stderr = train(bases / "xl", tmp_path, cache, "--train-text-encoder", "--resume")
    assert code == 0, stderr
    assert digest(tmp_path / "xl.safetensors") == digest(trained[0])


@pytest.mark.parametrize("algorithm", ["dora", "loha", "lokr"])
def test_v_prediction_with_zero_snr_trains_every_form_in_the_bases_language(bases, cache, tmp_path, algorithm):
    more = ("--algorithm", algorithm, "--checkpointing", "--bank-prompts", "4", "--min-snr", "5")
    code, lines, stderr = train(bases / "noobai-vpred", tmp_path, cache, *more)
    assert code == 0, stderr
    facts = read_metadata(tmp_path / "xl.safetensors")
    assert (facts["modelspec.prediction_type"], facts["ss_v_parameterization"]) == ("v", "True")
    (form,) = read_adapter(tmp_path / "xl.safetensors").algorithms
    assert form == {"dora": "lora dora"}.get(algorithm, algorithm)
    assert all(line["loss"] > 0 for line in lines if line["event"] == "step")
    assert "in tags, drawn away from 'worst quality" in " ".join(stderr.split())


def test_diffusers_loads_what_was_trained(trained):
    pipeline = pipeline_of(tiny_xl_parts())
    pipeline.load_lora_weights(str(trained[0].parent), weight_name=trained[0].name)
    assert "unet" in pipeline.get_list_adapters()


def test_a_word_cannot_be_trained_for_two_encoders(bases, cache, tmp_path):
    code, _, stderr = train(bases / "xl", tmp_path, cache, "--method", "custom_diffusion")
    assert code == 2
    assert "--method dreambooth_lora" in stderr


@pytest.fixture(scope="module")
def audited(trained, bases, cache, tmp_path_factory):
    """Return what gives the report of an audit of the trained file with more options; of few prompts and steps."""
    import dataclasses

    short = dataclasses.replace(presets.quick_plan(), sampling_steps=4, images_per_prompt=1)
    short = dataclasses.replace(short, prompts=short.prompts[:6])
    out = tmp_path_factory.mktemp("audits")

    def audit(*more):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(presets.PRESETS, "quick", lambda: short)
            where = ("--base", bases / "xl", "--cache", cache, "--out", out / "-".join(more or ("plain",)))
            options = ("--metrics", "denoiser_drift,color,color_shift", "--strength", "3", "--batch", "4", "--offline")
            code, lines, stderr = called(audit_main, trained[0], *where, *options, "--progress", "json", *more)
        assert code in (0, 1, 3), stderr
        return json.loads((Path(lines[-1]["folder"]) / "report.json").read_text())

    return audit


def estimates(report):
    measured = report["measurements"].values()
    return {key: value["value"] for each in measured for key, value in each["estimates"].items()}


def test_the_trained_file_is_audited_alike_however_the_base_is_kept(audited):
    plain = audited()
    assert plain["adapter"]["unmatched"] == 0 and plain["adapter"]["matched"] > 0
    found = estimates(plain)
    assert found["drift"] > 1e-5
    for way in ("model", "group"):
        kept = audited("--offload", way)
        assert kept["environment"]["base kept"] == f"offload {way}"
        assert kept["adapter"]["details"]["applied"] == BESIDE
        assert kept["base"]["digest"] == plain["base"]["digest"]
        # The LoRA stands beside weights instead of in them: sums of float32 in another order, about 1e-7 of a
        # prediction. Of colours a pixel may then be rounded to the next byte, one of 12,288 of a picture.
        assert estimates(kept)["drift"] == pytest.approx(found["drift"], rel=1e-5)
        assert estimates(kept) == pytest.approx(found, rel=1e-3, abs=1e-4)


def test_a_base_that_waits_in_main_memory_trains_the_same_bytes(trained, bases, cache, tmp_path):
    for folder, more in (("plain", ()), ("waiting", ("--offload", "model"))):
        code, _, stderr = train(bases / "xl", tmp_path / folder, cache, *more)
        assert code == 0, stderr
    plain, waiting = (digest(tmp_path / folder / "xl.safetensors") for folder in ("plain", "waiting"))
    assert plain == waiting


@pytest.mark.parametrize(("quantize", "library"), [("int8", "torchao"), ("nf4", "bitsandbytes")])
def test_a_rounded_base_is_trained_and_its_lora_audited(bases, cache, tmp_path, quantize, library):
    pytest.importorskip(library)
    code, lines, stderr = train(bases / "xl", tmp_path, cache, "--quantize", quantize, "--checkpointing")
    assert code == 0, stderr
    assert lines[-1]["event"] == "trained"
    assert read_adapter(tmp_path / "xl.safetensors").modules


@pytest.mark.parametrize(("quantize", "library"), [("int8", "torchao"), ("nf4", "bitsandbytes")])
def test_the_trained_file_is_audited_on_a_rounded_base(audited, quantize, library):
    pytest.importorskip(library)
    plain, rounded = audited(), audited("--quantize", quantize)
    assert rounded["base"]["digest"] != plain["base"]["digest"]
    assert estimates(rounded)["drift"] == pytest.approx(estimates(plain)["drift"], rel=0.2)


def test_the_types_of_the_file_are_those_that_hosts_read(trained):
    assert {value.dtype for name, value in load_file(trained[0]).items() if "lora_" in name[-18:]} == {torch.float16}
