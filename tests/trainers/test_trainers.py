"""LoRAs that trainers' own code writes and merges: `MUSUBI_DIR=... SD_SCRIPTS_DIR=... pytest tests/trainers`.

Both are checkouts whose imports the Python of the tests, or TRAINER_PYTHON, has. What a program makes of a transformer
with random weights and its own file is held against what is made of them here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from original_names import names_in_a_file
from owf.core.adapter import applied, read_adapter
from safetensors.torch import load_file, save_file
from tiny_qwen import known_class

MUSUBI, SD_SCRIPTS = "MUSUBI_DIR", "SD_SCRIPTS_DIR"
CASES = [
    *(
        (MUSUBI, family, kind)
        for family in ("flux", "z_image", "flux2_klein", "qwen_image")
        for kind in ("lora", "loha", "lokr")
    ),
    (MUSUBI, "krea2", "lora"),
    (SD_SCRIPTS, "flux", "lora"),
    (SD_SCRIPTS, "anima", "lora"),
]
"""Program, family and kind of network."""


def _flux():
    transformer = known_class("FluxTransformer2DModel")(
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=24,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    widths = {"in_channels": 16, "vec_in_dim": 24, "context_in_dim": 32, "hidden_size": 32, "mlp_ratio": 4.0}
    counts = {"num_heads": 2, "depth": 2, "depth_single_blocks": 2, "axes_dim": [4, 4, 8], "theta": 10000}
    return {"transformer": transformer}, {**widths, **counts, "qkv_bias": True, "guidance_embed": True}


def _klein():
    transformer = known_class("Flux2Transformer2DModel")(
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=128,
        num_attention_heads=1,
        joint_attention_dim=96,
        guidance_embeds=False,
    )
    widths = {"in_channels": 16, "context_in_dim": 96, "hidden_size": 128, "num_heads": 1}
    return {"transformer": transformer}, {
        **widths, "depth": 1, "depth_single_blocks": 2, "use_guidance_embed": False
    }  # fmt: skip


def _z_image():
    widths = {"in_channels": 4, "dim": 32, "n_heads": 2, "n_kv_heads": 2, "cap_feat_dim": 32}
    given = {**widths, "n_layers": 2, "n_refiner_layers": 1, "axes_dims": [4, 4, 8], "axes_lens": [1024, 64, 64]}
    return {"transformer": known_class("ZImageTransformer2DModel")(**given)}, given


def _qwen_image():
    given = {"num_layers": 2, "num_attention_heads": 1, "joint_attention_dim": 128}
    return {"transformer": known_class("QwenImageTransformer2DModel")(**given)}, given


def _krea2():
    transformer = known_class("Krea2Transformer2DModel")(
        num_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=768,  # as the program has them for such widths
        text_hidden_dim=40,
        text_intermediate_size=128,
    )
    config = transformer.config
    heads = {"txtheads": config.text_num_attention_heads, "txtkvheads": config.text_num_key_value_heads}
    widths = {"features": 256, "heads": 2, "kvheads": 1, "tdim": 256, "txtdim": 40, "channels": 16, "patch": 2}
    return {"transformer": transformer}, {
        **widths, **heads, "multiplier": 4, "layers": 2, "txtlayers": config.num_text_layers
    }  # fmt: skip


def _anima():
    transformer = known_class("CosmosTransformer3DModel")(
        in_channels=16,
        out_channels=16,
        num_attention_heads=2,
        attention_head_dim=24,
        num_layers=2,
        text_embed_dim=32,
        adaln_lora_dim=8,
        extra_pos_embed_type=None,
    )
    conditioner = known_class("AnimaTextConditioner")(
        source_dim=32, target_dim=32, model_dim=32, num_layers=2, num_attention_heads=2, target_vocab_size=32128
    )
    adapter = {"source_dim": 32, "target_dim": 32, "model_dim": 32, "num_layers": 2, "num_heads": 2, "self_attn": True}
    sizes = {"max_img_h": 240, "max_img_w": 240, "max_frames": 128, "patch_spatial": 2, "patch_temporal": 1}
    widths = {"in_channels": 16, "out_channels": 16, "model_channels": 48, "crossattn_emb_channels": 32}
    kinds = {"pos_emb_cls": "rope3d", "use_adaln_lora": True, "adaln_lora_dim": 8, "use_llm_adapter": True}
    given = {**sizes, **widths, **kinds, "num_blocks": 2, "num_heads": 2, "llm_adapter": adapter}
    return {"transformer": transformer, "text_conditioner": conditioner}, given


MADE = {
    "flux": _flux,
    "flux2_klein": _klein,
    "z_image": _z_image,
    "qwen_image": _qwen_image,
    "krea2": _krea2,
    "anima": _anima,
}
"""Family -> its parts with random weights, and what the program's own class is made with."""
IN_LIVE_NAMES = ("z_image", "qwen_image")
"""Families whose layers the programs call as diffusers does."""


def named(family, parts):
    """Return the weights of the parts as the programs call them."""
    if family in IN_LIVE_NAMES:
        return parts["transformer"].state_dict()
    return names_in_a_file(SimpleNamespace(**parts))


@pytest.mark.parametrize(("program", "family", "kind"), CASES)
def test_a_file_means_here_what_it_means_to_the_program_that_wrote_it(program, family, kind, tmp_path):
    if not os.environ.get(program):
        pytest.skip(f"needs a checkout of the program: set {program}")
    torch.manual_seed(0)
    parts, given = MADE[family]()
    before = {name: value.clone() for name, value in named(family, parts).items()}
    save_file(before, tmp_path / "transformer.safetensors")
    script, source = Path(__file__).with_name("write_lora.py"), os.environ[program]
    arguments = source, family, kind, tmp_path / "transformer.safetensors", json.dumps(given), tmp_path
    command = [os.environ.get("TRAINER_PYTHON", sys.executable), script, *arguments]
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stderr[-3000:]
    merged = load_file(tmp_path / "merged.safetensors")
    with applied(parts, read_adapter(tmp_path / "lora.safetensors")) as report:
        now = {name: value.clone() for name, value in named(family, parts).items()}
    assert not report.problems
    changed = {name for name in before if not torch.equal(merged[name], before[name])}
    assert len(changed) >= report.matched // 3 > 0
    for name in before:
        torch.testing.assert_close(now[name], merged[name], atol=1e-5, rtol=1e-5, msg=name)
