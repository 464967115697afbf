"""LoRAs that owf-train made of small transformers: ComfyUI's own loader finds every layer and changes it as trained."""

import os
import re
from pathlib import Path

import torch
from comfy_flows import require_small
from owf.core import families
from owf.core.adapter import LoraCard
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.train.methods.method import attach
from safetensors.torch import load_file, save_file
from small_training import small_plan
from tiny_flows import TRAINED


def trained_transformers(folder):
    """Write a LoRA of each form that owf-train has for each transformer, and the changes of its layers."""
    for family, make in TRAINED.items():
        for form in ("lora", "loha", "lokr"):
            method = attach(DiffusersDenoiser(make(), "tiny", family), small_plan(algorithm=form, targets="all"))
            generator = torch.Generator().manual_seed(2)
            with torch.no_grad():
                for parameter in method.parameters.values():
                    noise = 0.2 * torch.randn(parameter.shape, generator=generator)
                    parameter.copy_((parameter + noise).half().float())
                method.write(folder / f"{family}-{form}.safetensors", LoraCard("x", families.get(family)))
                names = [name.removeprefix("transformer.") for name in method.parameters]
                layers = dict.fromkeys(re.sub(r"\.(lora|hada|lokr)_.*", "", name) for name in names)
                changes = {name: c.contiguous() for name, c in zip(layers, method.changes(), strict=True)}
            save_file(changes, folder / f"{family}-{form}.changes")
    return 3 * len(TRAINED)


def test_what_is_trained_of_a_transformer_is_loaded_whole_by_comfyuis_names(host, tmp_path):
    require_small(Path(os.environ["COMFYUI_DIR"]))
    folder = tmp_path / "trained"
    folder.mkdir()
    count = trained_transformers(folder)
    found = host.run("transformer_loras", folder=str(folder))
    assert len(found) == count
    for name, (unread, patched, apart) in found.items():
        assert (unread, patched) == (0, len(load_file(folder / f"{name}.changes"))), name
        assert apart < 1e-6, (name, apart)
