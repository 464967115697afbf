"""Low-rank adaptation of the demo base's UNet, and its file in kohya's format."""

import hashlib
import json
from pathlib import Path

import torch
from torch import nn

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
RANK = 8
ALPHA = 8.0


class LowRank(nn.Module):
    """One module's update, alpha / rank * up(down(x)); zero until it is trained."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.down = nn.Linear(layer.in_features, RANK, bias=False)
        self.up = nn.Linear(RANK, layer.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the update of the layer's output for its input x."""
        return self.up(self.down(x)) * (ALPHA / RANK)


def attach(unet: nn.Module) -> nn.ModuleDict:
    """Return one LowRank per attention projection, by kohya name, each added to its layer's output."""
    updates = nn.ModuleDict()
    for name, layer in unet.named_modules():
        if name.endswith(TARGETS) and isinstance(layer, nn.Linear):
            update = LowRank(layer)
            layer.register_forward_hook(lambda _, inputs, output, u=update: output + u(inputs[0]))
            updates["lora_unet_" + name.replace(".", "_")] = update
    return updates


def write_kohya(updates: nn.ModuleDict, metadata: dict[str, str], path: Path) -> None:
    """Write the updates as float16 safetensors with the keys and metadata that kohya-ss writes."""
    from safetensors.torch import save_file

    weights = {}
    for name, update in updates.items():
        assert isinstance(update, LowRank)
        weights[f"{name}.lora_down.weight"] = update.down.weight.detach().half().contiguous()
        weights[f"{name}.lora_up.weight"] = update.up.weight.detach().half().contiguous()
        weights[f"{name}.alpha"] = torch.tensor(ALPHA).half()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path, {**metadata, "sshs_model_hash": _digest(weights)})


def _digest(weights: dict[str, torch.Tensor]) -> str:
    """Return a SHA-256 over names and values, independent of metadata."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].numpy().tobytes())
    return digest.hexdigest()


def kohya_metadata(name: str, caption: str, pictures: int, steps: int, rate: float) -> dict[str, str]:
    """Return the ss_* and modelspec.* fields; safetensors metadata is text throughout."""
    folder = "1_sks bag"
    return {
        "ss_base_model_version": "owf_demo",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(RANK),
        "ss_network_alpha": str(ALPHA),
        "ss_output_name": name,
        "ss_num_train_images": str(pictures),
        "ss_steps": str(steps),
        "ss_max_train_steps": str(steps),
        "ss_unet_lr": str(rate),
        "ss_learning_rate": str(rate),
        "ss_resolution": "(64, 64)",
        "ss_v2": "False",
        "ss_dataset_dirs": json.dumps({folder: {"n_repeats": 1, "img_count": pictures}}),
        "ss_tag_frequency": json.dumps({folder: {caption: pictures}}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "owf-demo/lora",
        "modelspec.title": name,
        "modelspec.resolution": "64x64",
        "modelspec.prediction_type": "epsilon",
        "modelspec.trigger_phrase": "sks bag",
        "modelspec.license": "Apache-2.0",
    }
