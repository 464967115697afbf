"""Audits of flows from the command line: a tiny folder of the architecture, a LoRA in names of its own code."""

import dataclasses
import json

import pytest
import torch
from owf.cli.audit import main
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.encodings import Encodings
from owf.core.model.diffusion.reading import level_timesteps
from owf.core.plan import presets
from safetensors.torch import save_file
from tiny_flows import PARTS, save_folder

LORAS = {
    "krea2": {
        "lora_unet_blocks_0_attn_wq": (32, 32),
        "lora_unet_blocks_1_mlp_down": (32, 80),
        "lora_unet_txtfusion_layerwise_blocks_0_attn_wo": (32, 32),
        "lora_unet_last_linear": (16, 32),
    },
    "qwen_image": {
        "lora_unet_transformer_blocks_0_attn_add_q_proj": (32, 32),
        "lora_unet_transformer_blocks_1_img_mlp_net_2": (32, 128),
        "lora_unet_transformer_blocks_1_txt_mod_1": (192, 32),
    },
    "anima": {
        "lora_unet_blocks_0_self_attn_q_proj": (48, 48),
        "lora_unet_blocks_1_mlp_layer2": (48, 192),
        "lora_unet_blocks_1_adaln_modulation_mlp_2": (144, 8),
        "lora_unet_llm_adapter_blocks_0_cross_attn_o_proj": (32, 32),
    },
}
"""Family -> names of layers and their shapes, as musubi-tuner and sd-scripts write them."""
TRANSFORMER = {"lora_unet_blocks_0_self_attn_q_proj": (48, 48)}
"""Layers of Anima that read no prompts."""
DRAWN = {"krea2": (5.5, 28), "qwen_image": (4.0, 2), "anima": (4.0, 2)}
"""Family -> guidance and steps of its usual base, or of the plan."""


@pytest.fixture(params=LORAS)
def family(request):
    return request.param


@pytest.fixture
def arguments(family, tmp_path):
    """A LoRA, its base, and where to write."""
    return _arguments(family, LORAS[family], tmp_path)


def _arguments(family, layers, folder, name="tiny"):
    folder.mkdir(exist_ok=True)
    base, generator, tensors = save_folder(family, PARTS[family](), folder / name), torch.Generator(), {}
    for stem, (out, inputs) in layers.items():
        tensors[f"{stem}.lora_down.weight"] = torch.randn(2, inputs, generator=generator)
        tensors[f"{stem}.lora_up.weight"] = torch.randn(out, 2, generator=generator)
        tensors[f"{stem}.alpha"] = torch.tensor(2.0)
    save_file(tensors, folder / "lora.safetensors")
    places = ["--out", folder / "out", "--cache", folder / "cache"]
    return [str(argument) for argument in (folder / "lora.safetensors", "--base", base, *places, "--offline")]


def _report(arguments, folder, monkeypatch):
    """Return the report of a short audit."""
    short = dataclasses.replace(presets.quick_plan(), sampling_steps=2)
    short = dataclasses.replace(short, prompts=short.prompts[:2], images_per_prompt=1)
    monkeypatch.setitem(presets.PRESETS, "quick", lambda: short)
    assert main([*arguments, "--metrics", "denoiser_drift", "--progress", "none"]) in (0, 1, 3)
    (file,) = (folder / "out").glob("*/report.json")
    return json.loads(file.read_text())


def _drift(report):
    return max(estimate["value"] for estimate in report["measurements"]["denoiser_drift"]["estimates"].values())


def test_it_ends_in_a_report(family, arguments, tmp_path, monkeypatch):
    report = _report(arguments, tmp_path, monkeypatch)
    assert (report["base"]["name"], report["base"]["family"]) == ("tiny", family)
    assert report["adapter"]["matched"] == len(LORAS[family])
    assert (report["plan"]["guidance_scale"], report["plan"]["sampling_steps"]) == DRAWN[family]
    assert _drift(report) > 0


def test_a_change_of_what_reads_prompts_alone_is_measured(tmp_path, monkeypatch):
    """Prompts are encoded anew for the tuned model, and what was encoded for the base is not taken for it."""
    layers = {"diffusion_model.llm_adapter.blocks.1.mlp.2": (32, 128)}
    report = _report(_arguments("anima", layers, tmp_path), tmp_path, monkeypatch)
    assert report["adapter"]["matched"] == 1 and _drift(report) > 0
    assert report["plan"]["prompt_form"] == "tags"


def test_what_reads_prompts_is_asked_for_the_first_lora_alone(tmp_path, monkeypatch):
    """Of those that leave it as it is; where it is changed, every prompt is read anew, and nothing of that is kept."""
    changed = {"diffusion_model.llm_adapter.blocks.1.mlp.2": (32, 128)}
    asked, drift = [], []
    encoded = Encodings._encoded
    monkeypatch.setattr(Encodings, "_encoded", lambda self, *text: asked.append(text) or encoded(self, *text))
    alone = _drift(_report(_arguments("anima", changed, tmp_path / "alone"), tmp_path / "alone", monkeypatch))
    counts = []
    for number, layers in enumerate((TRANSFORMER, changed, TRANSFORMER)):
        asked.clear()
        arguments = _arguments("anima", layers, tmp_path)
        arguments[arguments.index("--out") + 1] = str(tmp_path / str(number) / "out")
        drift.append(_drift(_report(arguments, tmp_path / str(number), monkeypatch)))
        counts.append(len(set(asked)))
    assert drift == [drift[0], alone, drift[0]]
    assert counts == [4, 2, 0]  # two prompts, for the base to draw as well


@pytest.mark.parametrize("name", ["z-image-turbo", "z-image"])
def test_a_distilled_base_is_asked_at_its_samplers_own_timesteps(name, tmp_path, monkeypatch):
    """But for the check of how it is read, which asks at levels of noise; other bases are asked at all times."""
    asked, predict = set(), DiffusersDenoiser.predict

    def seen(self, x, t, cond):
        sampled = self.schedule.drawn_timesteps(8)
        asked.update(time for time in t.tolist() if time not in {*sampled, *level_timesteps(self.schedule)})
        return predict(self, x, t, cond)

    monkeypatch.setattr(DiffusersDenoiser, "predict", seen)
    report = _report(
        _arguments("z_image", {"lora_unet_layers_0_attention_out": (32, 32)}, tmp_path, name), tmp_path, monkeypatch
    )
    assert report["plan"].get("own_times", False) is (name == "z-image-turbo")
    assert bool(asked) is (name == "z-image")
    assert _drift(report) > 0


def test_a_dry_run_names_rows_and_memory(arguments, capsys):
    assert main([*arguments, "--dry-run", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    for part in ("nothing in names and shapes speaks against it", "Rows of the denoiser", "Card of 24 GB"):
        assert part in said
