"""Claim: a setting of a PEFT configuration is followed, known to be harmless, or a refusal; none is passed over."""

import copy
import dataclasses
import json

import pytest
import torch
from effort import calls
from owf.core.adapter import match, read_adapter
from owf.core.adapter.naming.stated.peft_config import from_fields
from owf.core.adapter.naming.stated.peft_settings import _HARMLESS, _HONOURED, _REFUSED
from owf.core.errors import AdapterError
from safetensors.torch import load_file, save_file

LAYER = "base_model.model.mid_block.attentions.0.proj_in"


def _folder(folder, tensors, **settings):
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 2, **settings}))
    return folder


def _lora(layer=LAYER, out=4, inputs=4):
    return {f"{layer}.lora_A.weight": torch.ones(2, inputs), f"{layer}.lora_B.weight": torch.ones(out, 2)}


def test_every_setting_of_the_installed_peft_is_in_the_table():
    import peft

    kinds = (peft.LoraConfig, peft.LoHaConfig, peft.LoKrConfig)
    settings = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert settings <= _HONOURED | _HARMLESS | _REFUSED.keys()
    assert not _HONOURED & _HARMLESS
    assert not (_HONOURED | _HARMLESS) & _REFUSED.keys()


@pytest.mark.parametrize("kind", ["LoraConfig", "LoHaConfig", "LoKrConfig"])
def test_a_configuration_as_peft_writes_it_is_read(kind, tmp_path):
    import peft

    getattr(peft, kind)(r=4, target_modules=["to_q"], exclude_modules=["x"]).save_pretrained(tmp_path)
    fields = json.loads((tmp_path / "adapter_config.json").read_text())
    assert from_fields(fields).scaling("to_q").rank == 4


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *((setting, True) for setting in _REFUSED),
        ("use_a_new_trick", True),
        ("scale_everything_by", 3.0),
        ("\x1b[31m", "x"),
        ("init_lora_weights", "a_new_start"),
        ("bias", "some"),
    ],
)
def test_a_setting_that_may_change_the_weights_is_refused(setting, value):
    with pytest.raises(AdapterError) as caught:
        from_fields({"peft_type": "LORA", "r": 2, setting: value})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}])
def test_a_setting_that_is_not_set_says_nothing(value):
    assert from_fields({"r": 2, "use_a_new_trick": value, "layer_replication": value}).rank == 2


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"peft_type": "LOHA"}, "says loha, its tensors are lora"),
        ({"peft_type": "LOKR", "rank_dropout_scale": False}, "says lokr, its tensors are lora"),
        ({"peft_type": "LOKR"}, "says lokr, its tensors are lora"),
        ({"lora_bias": True}, "the bias is missing"),
        ({"use_dora": True}, "the magnitudes are missing"),
        ({"bias": "all"}, "sets bias, but the file holds none"),
        ({"modules_to_save": ["conv_in"]}, "sets modules_to_save, but the file holds none"),
    ],
)
def test_tensors_that_the_configuration_denies_are_refused(settings, reason, tmp_path):
    with pytest.raises(AdapterError, match=reason):
        read_adapter(_folder(tmp_path / "unet", _lora(), **settings))


def test_the_metadata_of_diffusers_is_held_to_the_same(tmp_path):
    tensors = {name.replace("base_model.model", "unet"): tensor for name, tensor in _lora().items()}
    for settings in ({"unet.bias": "all"}, {"unet.a_new_trick": 1}, {"unet.peft_type": "LOHA"}):
        metadata = {"lora_adapter_metadata": json.dumps({"unet.r": 2, "unet.lora_alpha": 2, **settings})}
        save_file(tensors, tmp_path / "x.safetensors", metadata)
        with pytest.raises(AdapterError):
            read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize("layer", ["to_q", "to_out.0"])
def test_trained_biases_that_the_file_lacks_are_a_problem_where_the_layer_has_one(layer, small_base, tmp_path):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=2, target_modules=[layer], bias="lora_only", init_lora_weights=False)
    unet = get_peft_model(copy.deepcopy(small_base.components["unet"]), config)
    unet.save_pretrained(tmp_path / "unet")
    file = tmp_path / "unet" / "adapter_model.safetensors"
    save_file({name: tensor for name, tensor in load_file(file).items() if "lora_" in name}, file)
    problems = match(read_adapter(tmp_path), small_base.components).problems
    assert any("bias was trained" in problem for problem in problems) == (layer == "to_out.0")


@pytest.mark.parametrize(
    "patterns",
    [
        {"to_q": 1, "attn1.to_q": 2, "blocks.0.attn1.to_q": 3},
        {"blocks.0.attn1.to_q": 1, "to_q": 2},
        {"^to_q": 1, "^blocks.0.attn1.to_q": 2, "q": 3},
        {"^attn1.to_q$": 1, "to_k": 2},
        {"o_q": 1, "to_q$": 2},
    ],
)
def test_of_several_patterns_the_first_that_fits_counts_as_in_peft(patterns):
    from peft.utils.other import get_pattern_key

    config = from_fields({"peft_type": "LORA", "r": 4, "lora_alpha": 9, "alpha_pattern": patterns})
    for module in ("blocks.0.attn1.to_q", "to_q", "attn1.to_q", "blocks.0.attn1.to_k", "q", "blocks.0.attn1"):
        wanted = patterns.get(get_pattern_key(patterns.keys(), module), 9)
        assert config.scaling(module).alpha == wanted


def test_thousands_of_patterns_are_not_tried_for_each_module():
    few, many = (
        from_fields({"peft_type": "LORA", "lora_alpha": 9, "alpha_pattern": {f"a.{i}": i + 1 for i in range(count)}})
        for count in (2, 2000)
    )
    module = "blocks.0.attn1.a.1"
    assert few.scaling(module).alpha == many.scaling(module).alpha == 2
    assert calls(lambda: many.scaling(module)) == calls(lambda: few.scaling(module))
