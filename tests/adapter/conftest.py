"""A tiny SD1 base, the probe of its outputs, and files written for it by other libraries."""

import contextlib
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

SHARED = Path(__file__).resolve().parents[3] / "shared" / "lora_fixtures"


@dataclass
class Base:
    """Live modules of one base and what they answer to fixed inputs."""

    components: dict

    def outputs(self):
        """Return (hidden states, UNet output on a fixed context, UNet output on the text encoder's)."""
        with torch.no_grad():
            hidden = self.components["text_encoder"](_INPUTS["ids"])[0]
            return hidden, self._unet(_INPUTS["context"]), self._unet(hidden)

    def _unet(self, context):
        unet = self.components["unet"]
        return unet(_INPUTS["latents"], _INPUTS["timesteps"], encoder_hidden_states=context).sample

    def parameters(self):
        return {
            (name, key): parameter
            for name, module in self.components.items()
            for key, parameter in module.named_parameters()
        }


def _inputs():
    generator = torch.Generator().manual_seed(7)
    return {
        "latents": torch.randn(1, 4, 8, 8, generator=generator),
        "timesteps": torch.tensor([300]),
        "ids": torch.randint(0, 100, (1, 16), generator=generator),
        "context": torch.randn(1, 16, 32, generator=generator),
    }


_INPUTS = _inputs()


def build_unet(**changes):
    from diffusers import UNet2DConditionModel

    settings = {
        "sample_size": 8,
        "block_out_channels": (16, 32, 32, 32),
        "layers_per_block": 2,
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return UNet2DConditionModel(**{**settings, **changes})


def build_text_encoder(hidden=32):
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=100,
            hidden_size=hidden,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=16,
            bos_token_id=98,
            eos_token_id=99,
        )
    )


SMALL = {
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
"""Every kind of layer once, for tests of the algebra rather than of names."""


def build_base(**changes):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        components = {"unet": build_unet(**changes), "text_encoder": build_text_encoder()}
    for module in components.values():
        module.eval().requires_grad_(False)
    return Base(components)


@pytest.fixture(scope="session")
def base():
    return build_base()


@pytest.fixture(scope="session")
def small_base():
    return build_base(**SMALL)


@pytest.fixture(autouse=True)
def quiet_libraries():
    """Other libraries' deprecations are not this project's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class Written:
    """A file and what the network that wrote it answered, per strength."""

    path: Path
    outputs: dict


_PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te", "text_encoder_2": "lora_te2"}


@contextlib.contextmanager
def lycoris_networks(base, algo, **settings):
    """Yield live, randomised LyCORIS networks of one algorithm on both components."""
    from lycoris.wrapper import LycorisNetwork

    names = {"lora_dim": 4, "conv_lora_dim": 4, "alpha": 2, "conv_alpha": 1.0, "network_module": algo}
    networks = {}
    try:
        with torch.random.fork_rng():
            torch.manual_seed(11)
            for component, module in base.components.items():
                network = networks[component] = LycorisNetwork(module, **{**names, **settings})
                network.apply_to()
                _randomise(network, algo)
                network.eval()
        yield networks
    finally:
        for network in networks.values():
            network.restore()


def _randomise(network, algo):
    size = 0.02 if algo == "full" else 0.1
    for parameter in network.parameters():
        parameter.data = parameter.detach() + torch.randn_like(parameter) * size


@pytest.fixture
def lycoris_file(small_base, tmp_path):
    """Return a function that writes a LyCORIS file of an algorithm with the writer's own outputs."""

    base = small_base

    def write(algo, prefix="kohya", **settings):
        with lycoris_networks(base, algo, **settings) as networks, torch.no_grad():
            outputs = {1.0: base.outputs()}
            for network in networks.values():
                network.set_multiplier(0.5)
            outputs[0.5] = base.outputs()
            for network in networks.values():
                network.set_multiplier(1.0)
            tensors = {}
            for component, network in networks.items():
                for key, tensor in network.state_dict().items():
                    lead = "lycoris" if prefix == "lycoris" else _PREFIXES[component]
                    tensors[key.replace("lycoris", lead, 1)] = tensor.contiguous().clone()
        path = tmp_path / f"{algo}.safetensors"
        arguments = json.dumps({"algo": algo, "rs_lora": str(settings.get("rs_lora", False))})
        save_file(tensors, path, {"ss_network_module": "lycoris.kohya", "ss_network_args": arguments})
        return Written(path, outputs)

    return write


@pytest.fixture
def kohya_tensors(base):
    """Return a function that makes random kohya LoRA tensors for every attention and text layer."""
    return lambda rank=4, alpha=2.0, seed=0: make_kohya(base, rank, alpha, seed)


def make_kohya(base, rank=4, alpha=2.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for component, root in base.components.items():
        for dotted, module in root.named_modules():
            if not isinstance(module, torch.nn.Linear) or "time" in dotted:
                continue
            text = component == "text_encoder" and not dotted.startswith("text_model.")
            stem = f"{_PREFIXES[component]}_{'text_model_' if text else ''}{dotted.replace('.', '_')}"
            out, inputs = module.weight.shape
            tensors[f"{stem}.lora_down.weight"] = torch.randn(rank, inputs, generator=generator) * 0.1
            tensors[f"{stem}.lora_up.weight"] = torch.randn(out, rank, generator=generator) * 0.1
            tensors[f"{stem}.alpha"] = torch.tensor(alpha)
    return tensors


@pytest.fixture(scope="session")
def text_level():
    """Return a function from a text encoder to its layers, which transformers 4 keeps one level down."""
    return lambda encoder: getattr(encoder, "text_model", encoder)


@pytest.fixture
def largest_difference():
    """Return a function that gives the largest absolute difference of two sets of outputs."""
    return lambda left, right: max((one - other).abs().max().item() for one, other in zip(left, right, strict=True))


@pytest.fixture(scope="session")
def shared():
    """Return the folder of shared fixtures; skips where it is not beside the checkout."""
    if not (SHARED / "files").is_dir():
        pytest.skip("no shared fixtures beside this checkout")
    return SHARED


_RESNET = {
    "norm1": "in_layers_0",
    "conv1": "in_layers_2",
    "time_emb_proj": "emb_layers_1",
    "norm2": "out_layers_0",
    "conv2": "out_layers_3",
    "conv_shortcut": "skip_connection",
}
_SINGLE = {
    "conv_in": "input_blocks_0_0",
    "conv_norm_out": "out_0",
    "conv_out": "out_2",
    "time_embedding_linear_1": "time_embed_0",
    "time_embedding_linear_2": "time_embed_2",
    "add_embedding_linear_1": "label_emb_0_0",
    "add_embedding_linear_2": "label_emb_0_2",
    "mid_block_attentions_0": "middle_block_1",
    "mid_block_resnets_0": "middle_block_0",
    "mid_block_resnets_1": "middle_block_2",
}


def _to_ldm(path, attention_levels):
    """Return the LDM spelling of a flattened diffusers path: the inverse of what is tested, written apart."""
    for ours, theirs in _SINGLE.items():
        if path == ours or path.startswith(f"{ours}_"):
            rest = path[len(ours) + 1 :]
            return f"{theirs}_{_RESNET.get(rest, rest)}".rstrip("_")
    side, level, kind, layer, rest = re.fullmatch(r"(down|up)_blocks_(\d)_([a-z]+)_(\d)_(.+)", path).groups()
    level, layer = int(level), int(layer)
    if kind == "downsamplers":
        return f"input_blocks_{3 * level + 3}_0_op"
    if kind == "upsamplers":
        part = 2 if level in attention_levels else 1
        return f"output_blocks_{3 * level + 2}_{part}_conv"
    number = 3 * level + layer + (1 if side == "down" else 0)
    block = "input" if side == "down" else "output"
    return f"{block}_blocks_{number}_{0 if kind == 'resnets' else 1}_{_RESNET.get(rest, rest)}"


@pytest.fixture(scope="session")
def to_ldm():
    """Return a function from a flattened diffusers path and the levels with attention to the LDM spelling."""
    return _to_ldm
