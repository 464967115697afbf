"""Claim: norms per block add up to those of the file, and what is not finite stays visible."""

import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from owf.core.adapter import match, read_adapter
from owf.core.adapter.apply.match import deltas, match_modules
from owf.core.adapter.blocks import KINDS, Block, ModuleNorms, block_norms, block_of, kind_of
from safetensors.torch import save_file


def test_norms_per_block_are_those_of_its_changes_taken_together(base, kohya_tensors, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    report = match(adapter, base.components)
    changes, weights = defaultdict(list), defaultdict(list)
    for pair, change in deltas(match_modules(adapter, base.components)):
        place = block_of(pair.module), kind_of(pair.module)
        changes[place].append(change.weight.flatten().double())
        weights[place].append(pair.owner.get_parameter("weight").detach().flatten().double())
    found = block_norms(report.norms)
    assert [(b.block, b.kind) for b in found] == sorted(changes, key=lambda place: (place[0], KINDS.index(place[1])))
    assert [b.modules for b in found] == [len(changes[b.block, b.kind]) for b in found]
    wide = [(torch.cat(changes[b.block, b.kind]), torch.cat(weights[b.block, b.kind])) for b in found]
    # norms of single modules are float32
    assert [b.relative for b in found] == pytest.approx([float(c.norm() / w.norm()) for c, w in wide], rel=1e-6)
    assert float(torch.cat([c for c, _ in wide]).norm()) == pytest.approx(report.delta_norm, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "weight", "relative"), [(3.0, 4.0, 0.75), (0.0, 0.0, 0.0), (1.0, 0.0, math.inf), (math.inf, 1, math.inf)]
)
def test_relative_change_over_zero(change, weight, relative):
    (block,) = block_norms([ModuleNorms(Block("unet", 2, 0, "mid"), "resnet", change, weight)])
    assert block.relative == relative


def test_a_broken_module_shows_in_its_block_alone(base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    bad = next(key for key in tensors if "mid_block" in key and "attn1_to_q" in key and key.endswith("up.weight"))
    tensors[bad] = torch.full_like(tensors[bad], math.nan)
    save_file(tensors, tmp_path / "x.safetensors")
    blocks = block_norms(match(read_adapter(tmp_path / "x.safetensors"), base.components).norms)
    wrong = [(b.block.title, b.kind) for b in blocks if not math.isfinite(b.relative)]
    assert wrong == [("mid", "self-attention")]


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("double_blocks_3_img_attn_qkv", "double 3"),
        ("single_transformer_blocks_12_attn_to_q", "single_transformer 12"),
        ("layers_7_attention_to_q", "block 7"),
        ("x2_noise_refiner_layer_0_w", "noise_refiner 0"),
        ("img_in", "other"),
        ("a" * 900, "other"),
    ],
)
def test_blocks_of_transformers_are_called_by_what_stands_before_their_number(path, title):
    assert block_of(SimpleNamespace(component="transformer", path=path)).title == title
