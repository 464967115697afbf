"""Two accounts of a scale: what is read is what programs read, and where the other differs it is said."""

import json
import math

import pytest
import torch
from owf.core.adapter import read_adapter
from safetensors.torch import save_file

RANK, ALPHA = 16, 8.0
STEM = "lora_unet_mid_block_attentions_0_proj_in"
LYCORIS = {"ss_network_module": "lycoris.kohya"}


def tensors(alpha, stem=STEM, names=("lora_down", "lora_up")):
    down, up = names
    found = {f"{stem}.{down}.weight": torch.ones(RANK, 8), f"{stem}.{up}.weight": torch.ones(8, RANK)}
    return found if alpha is None else {**found, f"{stem}.alpha": torch.tensor(alpha)}


def told(path, words="no module is scaled so"):
    return sum(words in warning for warning in read_adapter(path).warnings)


@pytest.mark.parametrize(
    ("alpha", "metadata", "scale", "count"),
    [
        # alpha / rank is read, and the metadata speak of its root
        (ALPHA, {"use_rslora": "true"}, ALPHA / RANK, 1),
        (ALPHA, {"rslora": "True", "ss_network_alpha": "8"}, ALPHA / RANK, 1),
        (ALPHA, {"ss_network_args": json.dumps({"rs_lora": "True"})}, ALPHA / RANK, 1),  # kohya's own network
        (ALPHA, {"training_config": json.dumps({"rank_stabilized": True})}, ALPHA / RANK, 1),
        (None, {"use_rslora": "true"}, 1.0, 1),
        # the same, with the root in the alphas: alpha sqrt(rank) / rank = alpha / sqrt(rank)
        (ALPHA * 4, {"use_rslora": "true", "ss_network_alpha": "8"}, ALPHA / 4, 0),
        (ALPHA * 4, LYCORIS | {"ss_network_args": json.dumps({"rs_lora": "True"})}, ALPHA / 4, 0),
        (ALPHA * 4, LYCORIS | {"ss_network_args": '{"rs_lora": "True"}', "ss_network_alpha": "8.0"}, ALPHA / 4, 0),
        (ALPHA, LYCORIS | {"ss_network_args": '{"rs_lora": "True"}', "ss_network_alpha": "8.0"}, ALPHA / RANK, 1),
        # a setting that is off, and what is none
        (ALPHA, {"use_rslora": "false", "note": "rslora"}, ALPHA / RANK, 0),
        (ALPHA, {"ss_network_args": json.dumps({"rs_lora": "False"})}, ALPHA / RANK, 0),
        # an alpha that only the metadata have
        (None, {"ss_network_alpha": "8"}, 1.0, 1),
        (None, {"lora_alpha": "16"}, 1.0, 0),
        (None, {"ss_network_alpha": "Dynamic", "lora_alpha": "nan"}, 1.0, 0),
        (None, {"ss_network_alpha": "8", "ss_network_args": '{"block_alphas": "1,2"}'}, 1.0, 0),
        (ALPHA, {"ss_network_alpha": "1"}, ALPHA / RANK, 0),  # every program follows the tensor
    ],
)
def test_metadata_that_state_another_scale_are_told(alpha, metadata, scale, count, tmp_path):
    save_file(tensors(alpha), tmp_path / "x.safetensors", metadata=metadata)
    (module,) = read_adapter(tmp_path / "x.safetensors").modules
    assert math.isclose(module.scale, scale)
    assert told(tmp_path / "x.safetensors") == count


def test_one_module_that_agrees_is_enough(tmp_path):
    other = STEM.replace("proj_in", "proj_out")
    save_file(tensors(None) | tensors(ALPHA, other), tmp_path / "x.safetensors", metadata={"ss_network_alpha": "8"})
    assert told(tmp_path / "x.safetensors") == 0


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({"use_rslora": True}, 1),  # of the alpha in the tensors it says alpha / sqrt(rank)
        ({"use_rslora": False}, 0),
        ({"use_rslora": True, "lora_alpha": 8}, 1),
        ({"use_rslora": True, "lora_alpha": 2}, 0),  # 2 / sqrt(16) = 8 / 16
        ({"lora_alpha": 8}, 0),
    ],
)
@pytest.mark.parametrize("where", ["metadata", "file"])
def test_a_configuration_and_alphas_that_disagree_are_told(config, count, where, tmp_path):
    stem = (
        "unet.mid_block.attentions.0.proj_in"
        if where == "metadata"
        else "base_model.model.mid_block.attentions.0.proj_in"
    )
    settings = {"r": RANK, **config}
    metadata = {"lora_adapter_metadata": json.dumps(settings)} if where == "metadata" else None
    path = tmp_path / "adapter_model.safetensors"
    save_file(tensors(ALPHA, stem, ("lora_A", "lora_B")), path, metadata=metadata)
    if where == "file":
        (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    (module,) = read_adapter(path).modules
    assert module.scale == ALPHA / RANK
    assert told(path, "disagree; that in the tensors is used") == count


@pytest.mark.parametrize(
    ("metadata", "config", "words"),
    [
        (None, {"r": RANK, "lora_alpha": 64}, "lies beside it and is not followed"),
        ({"r": RANK, "lora_alpha": 8}, {"r": RANK, "lora_alpha": 64}, "say different things"),
        ({"r": RANK, "lora_alpha": 8}, {"r": RANK, "lora_alpha": 8, "use_rslora": True}, "say different things"),
        ({"r": RANK, "lora_alpha": 8}, {"r": RANK, "lora_alpha": 8, "lora_dropout": 0.1}, ""),
    ],
)
def test_a_configuration_beside_a_file_is_followed_or_told(metadata, config, words, tmp_path):
    path = tmp_path / "pytorch_lora_weights.safetensors"
    known = None if metadata is None else {"lora_adapter_metadata": json.dumps(metadata)}
    stem = "unet.mid_block.attentions.0.proj_in"
    save_file(tensors(None, stem, ("lora_A", "lora_B")), path, metadata=known)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    for place in (path, tmp_path):
        adapter = read_adapter(place)
        assert adapter.modules[0].scale == (1.0 if metadata is None else ALPHA / RANK)
        notes = [warning for warning in adapter.warnings if "adapter_config.json" in warning]
        assert [words in note for note in notes] == [True] * bool(words)


def test_alphas_that_some_modules_lack_are_told(tmp_path):
    others = [STEM.replace("proj_in", name) for name in ("proj_out", "norm")]
    parts = tensors(ALPHA) | {name: value for other in others for name, value in tensors(None, other).items()}
    save_file(parts, tmp_path / "x.safetensors")
    assert told(tmp_path / "x.safetensors", "2 modules: without an alpha, which the other 1 have") == 1
    save_file({name: value for name, value in parts.items() if "alpha" not in name}, tmp_path / "y.safetensors")
    assert told(tmp_path / "y.safetensors", "without an alpha") == 0  # no alpha at all means the rank
