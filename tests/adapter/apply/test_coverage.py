"""Claim: what is not understood in a file is never harmless, be it by tensors, by bytes, or in a known module."""

import json

import pytest
import torch
from owf.cli.audit import main
from owf.core.adapter import match, read_adapter
from owf.core.adapter.apply.coverage import MAX_LEFT_OUT
from owf.core.adapter.summary import summarise
from owf.core.errors import AdapterError
from safetensors.torch import save_file

ATTENTION = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_k"
LDM = "input_blocks_1_1_transformer_blocks_0_attn1_to_k"


def _problems(tensors, base, tmp_path):
    """Return the problems of a file with a base and without one; they must agree about what is not understood."""
    save_file(tensors, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    with_base, without = match(adapter, base.components).problems, summarise(adapter).problems
    return with_base, without


def _renamed(tensors, before, after):
    return {name.replace(before, after, 1): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(("before", "after"), [("lora_te_", "lora_clip_"), ("lora_unet_", "lora_denoiser_")])
def test_half_a_file_under_an_unknown_prefix_is_a_problem(before, after, base, kohya_tensors, tmp_path):
    for problems in _problems(_renamed(kohya_tensors(), before, after), base, tmp_path):
        assert any("not understood" in problem and after in problem for problem in problems)


def test_inspect_exits_as_an_audit_would(kohya_tensors, tmp_path, capsys):
    save_file(_renamed(kohya_tensors(), "lora_te_", "lora_clip_"), tmp_path / "x.safetensors")
    assert main(["inspect", "--json", str(tmp_path / "x.safetensors")]) == 4
    (told,) = json.loads(capsys.readouterr().out)
    assert "lora_clip_" in told["unknown"][0]
    assert "of the bytes" in told["coverage"]


@pytest.mark.parametrize(
    "name",
    [
        f"lora_unet_{ATTENTION}.a_new_thing",
        f"lora_unet_{ATTENTION}_a_new_thing",
        f"lora_unet_{LDM}.a_new_thing",
        f"x.{ATTENTION.replace('_', '.')}.y",
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj.dora_magnitudes",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.a_new_thing.weight",
    ],
)
def test_one_tensor_of_a_known_module_is_a_problem_however_it_is_spelled(name, base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    assert 1 / len(tensors) < MAX_LEFT_OUT
    for problems in _problems({**tensors, name: torch.ones(1)}, base, tmp_path):
        assert problems


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_d\u043ewn_blocks_0_attentions_0_proj_in.lora_up.weight",  # a Cyrillic letter
        "lora_unet_mid\u200b_block_attentions_0_proj_in.lora_up.weight",  # no width
        "\uff4cora_unet_mid_block_attentions_0_proj_in.lora_up.weight",  # full width
        "lora_unet_mid_b\x00lock_attentions_0_proj_in.lora_up.weight",
        "lora_unet_mid_b lock_attentions_0_proj_in.lora_up.weight",
        f"LoRA_unet_{ATTENTION.replace('1', 'l').replace('0', 'O')}_lora_up_weight",
        f"unet/{ATTENTION.replace('_', '/')}/kernel",
        "lora_unet_nowhere.dora_scales",
        "lora_unet_nowhere.magnitude",
        "lora_unet_nowhere.rescale",
    ],
)
def test_a_name_that_is_made_to_look_like_another_is_a_problem(name, base, kohya_tensors, tmp_path):
    for problems in _problems({**kohya_tensors(), name: torch.ones(2)}, base, tmp_path):
        assert problems


def test_no_tensor_hides_behind_many_counters(base, kohya_tensors, tmp_path):
    counters = {f"a_counter_{index}": torch.tensor(index) for index in range(300)}
    assert _problems({**kohya_tensors(), **dict(list(counters.items())[:150])}, base, tmp_path) == ((), ())
    for problems in _problems({**kohya_tensors(), **counters}, base, tmp_path):
        assert problems


@pytest.mark.parametrize("name", ["a", "rank", "w", "beta", "temperature", "noise_offset"])
def test_a_single_number_may_multiply_everything_whatever_it_is_called(base, kohya_tensors, tmp_path, name):
    with_base, without = _problems({**kohya_tensors(), name: torch.tensor(0.5)}, base, tmp_path)
    assert all(any(f"what {name} would change" in problem for problem in found) for found in (with_base, without))
    assert not any(_problems({**kohya_tensors(), name: torch.tensor(5)}, base, tmp_path))  # counters are told


def test_a_tensor_of_a_module_that_only_the_base_has_is_a_problem(base, kohya_tensors, tmp_path):
    tensors = {**kohya_tensors(), "lora_unet_conv_in.a_new_thing": torch.ones(2)}
    with_base, without = _problems(tensors, base, tmp_path)
    assert any("conv_in" in problem for problem in with_base)
    assert not without  # nothing in the file says that there is such a module


def test_a_stray_tensor_is_a_warning(base, kohya_tensors, tmp_path):
    tensors = {**kohya_tensors(), "training_step": torch.tensor(100)}
    assert _problems(tensors, base, tmp_path) == ((), ())
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert any("training_step" in warning for warning in adapter.warnings)
    assert match(adapter, base.components).coverage.startswith(f"{len(tensors) - 1} of {len(tensors) - 1} keys")


def test_the_limit_is_one_of_tensors_and_one_of_bytes(base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    many = {f"stray_{index}": torch.ones(2) for index in range(int(MAX_LEFT_OUT * len(tensors)) + 1)}
    heavy = {"stray": torch.ones(sum(tensor.nbytes for tensor in tensors.values()) // 50)}
    for strays in (many, heavy):
        for problems in _problems({**tensors, **strays}, base, tmp_path):
            assert any("above the limit of 1 % of either" in problem for problem in problems)


def test_the_share_that_is_above_the_limit_is_said(base, kohya_tensors, tmp_path):
    """Many small tensors are less than the limit by their bytes."""
    tensors = kohya_tensors()
    count = len(tensors) // 20
    strays = {f"stray_{index}": torch.ones(1) for index in range(count)}
    share = 100 * count / (len(tensors) + count)
    for problems in _problems({**tensors, **strays}, base, tmp_path):
        (said,) = (problem for problem in problems if "above the limit" in problem)
        assert f"{count} of {len(tensors) + count:,} tensors ({share:.3g} %), less than 0.1 % of the bytes" in said


def test_a_share_is_never_rounded_to_the_whole(base, kohya_tensors, tmp_path):
    tensors = {**kohya_tensors(), "stray": torch.ones(2)}
    assert _problems(tensors, base, tmp_path) == ((), ())
    coverage = match(read_adapter(tmp_path / "x.safetensors"), base.components).coverage
    assert coverage.startswith(f"{len(tensors) - 1} of {len(tensors)} keys, 99.9 % of the bytes")


def test_what_training_leaves_is_no_problem_among_few_tensors(base, kohya_tensors, tmp_path):
    few = {name: tensor for name, tensor in kohya_tensors().items() if "attn2_to_k" in name}
    notes = {"step": torch.tensor(100), "lora_te_text_model_embeddings.position_ids": torch.arange(77)[None]}
    assert len(few) < 1 / MAX_LEFT_OUT
    assert _problems({**few, **notes}, base, tmp_path) == ((), ())


@pytest.mark.parametrize(
    "name",
    [
        "alpha",
        "network_alpha",
        "unet.scale",
        "lora_unet_down_blocks_0.multiplier",
        "Gate",
        "network_scale_factor",
        "lora_alpha_unet",
        "alphas_unet",
        "w_scale_unet",
        "loraScalar2",
        "network.scaler.0",
        "lora_strength_model",
        "dora.m_all",
        "lora_magnitudes_packed",
        "gates_unet",
        "lora_mult",
        "ratio",
        "coef_te",
        "blockCoefficients",
        "network.lambda",
        "intensity",
        "lbw",
    ],
)
def test_what_is_called_a_scale_is_no_note(name, base, kohya_tensors, tmp_path):
    for problems in _problems({**kohya_tensors(), name: torch.tensor(2.0)}, base, tmp_path):
        assert any(name in problem for problem in problems)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("attn1_to_k", "attn1.to_k.base_layer"),
        ("attn1_to_k", "attn1_to_k_2"),
        ("attn1_to_k", "Attn1__To_K"),
        ("attn1_to_k", "attn1_to_k.default"),
        ("lora_unet_", "lora_unet_model_"),
        ("lora_unet_", "lora_unet_x_"),
        ("lora_unet_", "unet.base_layer."),
        ("lora_unet_", "diffusion_model.model."),
        ("lora_unet_", "lora_te2_"),
        ("lora_unet_", "text_encoder_2.unet."),
        (f"lora_unet_{ATTENTION}", f"lora_unet_x_{LDM}"),
        (f"lora_unet_{ATTENTION}", f"lora_unet_x_{LDM[:-4]}_to_qkv"),
        ("attn1_to_k", "attn1_to_qkv"),
        ("attn1_to_k", "attn1_qkv"),
        ("attn1_to_k", "fused"),
    ],
)
def test_a_part_or_variant_of_a_module_is_a_problem_however_small(part, other, base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    stem = f"lora_unet_{ATTENTION}"
    extra = {
        f"{stem.replace(part, other)}{end}": 1000 * tensors[stem + end]
        for end in (".lora_down.weight", ".lora_up.weight")
    }
    assert 2 / len(tensors) < MAX_LEFT_OUT
    with_base, _ = _problems({**tensors, **extra}, base, tmp_path)
    assert with_base


@pytest.mark.parametrize(
    "path", ["down_blocks_0_attentions_9_proj_in", "down_blocks_9_resnets_0_conv1", "new_embedding"]
)
def test_a_block_that_only_another_release_has_is_no_part_of_one(path, base, kohya_tensors, tmp_path):
    extra = {
        f"lora_unet_{path}.lora_down.weight": torch.ones(4, 32),
        f"lora_unet_{path}.lora_up.weight": torch.ones(32, 4),
    }
    assert _problems({**kohya_tensors(), **extra}, base, tmp_path) == ((), ())


def test_a_single_number_that_is_no_counter_counts(base, kohya_tensors, tmp_path):
    few = {name: tensor for name, tensor in kohya_tensors().items() if "attn2_to_k" in name}
    for problems in _problems({**few, "w": torch.tensor(3.0)}, base, tmp_path):
        assert any("above the limit" in problem for problem in problems)


def test_a_tensor_without_a_name_is_named(base, kohya_tensors, tmp_path):
    for problems in _problems({**kohya_tensors(), "": torch.ones(2)}, base, tmp_path):
        assert any("a tensor called ''" in problem for problem in problems)


def test_a_module_of_the_base_that_does_not_fit_is_a_problem_however_small(base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    tensors[f"lora_unet_{ATTENTION}.lora_down.weight"] = torch.ones(4, 7)
    with_base, _ = _problems(tensors, base, tmp_path)
    assert any("made for 7 weights per output" in problem for problem in with_base)


def test_one_second_account_is_a_problem(base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    stem, other = f"lora_unet_{ATTENTION}", f"lora_unet_{LDM}"
    again = {f"{other}{end}": 50 * tensors[stem + end] for end in (".lora_down.weight", ".lora_up.weight")}
    for problems in _problems({**tensors, **again}, base, tmp_path):
        assert any(LDM in problem or ATTENTION in problem for problem in problems)


@pytest.mark.parametrize("alpha", [2.0, 3.0])
@pytest.mark.parametrize("other", [f"lora_unet_{LDM}", f"unet.{ATTENTION.replace('_', '.', 2)}"])
def test_an_alpha_in_another_spelling_is_harmless_where_it_says_the_same(alpha, other, base, kohya_tensors, tmp_path):
    tensors = {f"{other}.alpha": torch.tensor(alpha), **kohya_tensors(alpha=2.0)}
    for problems in _problems(tensors, base, tmp_path):
        assert any("alpha" in problem for problem in problems) == (alpha != 2.0)
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert any("1 alpha said twice" in warning for warning in adapter.warnings) == (alpha == 2.0)


def test_modules_without_a_place_in_the_base_fall_under_the_same_limit(base, kohya_tensors, tmp_path):
    tensors = _renamed(kohya_tensors(), "down_blocks_0_attentions_0", "down_blocks_0_attentions_7")
    with_base, _ = _problems(tensors, base, tmp_path)
    assert any("the base's unet has no such module" in problem for problem in with_base)


def test_a_second_account_of_most_modules_is_a_problem(base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    again = {
        name.replace("lora_te_text_model_encoder", "text_encoder.text_model.encoder"): tensor + 1
        for name, tensor in tensors.items()
        if name.startswith("lora_te_")
    }
    for problems in _problems({**tensors, **again}, base, tmp_path):
        assert any("a second account of a module" in problem for problem in problems)


def test_whole_weights_beside_factors_are_a_problem(base, kohya_tensors, tmp_path):
    weight = base.components["unet"].conv_in.weight
    for problems in _problems({**kohya_tensors(), "unet.conv_in.weight": weight + 1}, base, tmp_path):
        assert any("stored whole" in problem for problem in problems)


def test_bundled_embeddings_count_nowhere(base, kohya_tensors, tmp_path):
    embedding = torch.ones(64, 4096)  # as large as the rest
    tensors = {
        **kohya_tensors(),
        "bundle_emb.a word.clip_l": embedding,
        "bundle_emb.b.string_to_param.*": 2 * embedding,
    }
    assert _problems(tensors, base, tmp_path) == ((), ())
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert any("2 bundled embedding tensors" in warning for warning in adapter.warnings)
    assert match(adapter, base.components).coverage.startswith(f"{len(tensors) - 2} of {len(tensors) - 2} keys, 100 %")


def test_nothing_hides_among_the_bundled_embeddings(base, kohya_tensors, tmp_path):
    tensors = _renamed(kohya_tensors(), "lora_te_", "bundle_emb.lora_te_")
    for problems in _problems(tensors, base, tmp_path):
        assert problems


@pytest.mark.parametrize(
    ("beside", "complaint"),
    [
        ({f"lora_unet_{ATTENTION}.dora_scale": 32, f"lora_unet_{ATTENTION}.magnitude": 32}, "dora and magnitude"),
        ({f"lora_unet_{ATTENTION}.diff_b": 32, f"lora_unet_{ATTENTION}.lora_B.bias": 32}, "diff_b and up_bias"),
        (
            {f"lora_unet_{ATTENTION}.lora_magnitude_vector": 32, f"lora_unet_{ATTENTION}.magnitude": 32},
            "more than once",
        ),
    ],
)
def test_two_tensors_that_mean_the_same_are_a_problem(beside, complaint, small_base, tmp_path):
    width = small_base.components["unet"].get_submodule("down_blocks.0.attentions.0").proj_in.weight.shape[0]
    stem = f"lora_unet_{ATTENTION}"
    tensors = {f"{stem}.lora_down.weight": torch.ones(2, width), f"{stem}.lora_up.weight": torch.ones(width, 2)}
    save_file({**tensors, **{name: torch.ones(width) for name in beside}}, tmp_path / "x.safetensors")
    with pytest.raises(AdapterError, match=complaint):
        read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"network_alphas": {"x": 4.0}}, "network_alphas"),
        ({"a": "text"}, "a str called 'a'"),
        ({3: torch.ones(1)}, "called '3'"),
    ],
)
def test_a_pickle_keeps_nothing_back(state, complaint, kohya_tensors, tmp_path):
    torch.save({**kohya_tensors(), **state}, tmp_path / "x.pt")
    with pytest.raises(AdapterError, match=complaint):
        read_adapter(tmp_path / "x.pt", allow_pickle=True)


def test_what_lies_beside_a_state_dict_in_a_pickle_counts(base, kohya_tensors, tmp_path):
    torch.save({"state_dict": kohya_tensors(), "step": 100, "name": "x"}, tmp_path / "x.pt")
    assert match(read_adapter(tmp_path / "x.pt", allow_pickle=True), base.components).problems == ()
    torch.save({"state_dict": kohya_tensors(), "network_alphas": {"x": 4.0}}, tmp_path / "x.pt")
    with pytest.raises(AdapterError, match="network_alphas"):
        read_adapter(tmp_path / "x.pt", allow_pickle=True)


def test_plain_numbers_in_a_pickle_are_alphas(base, kohya_tensors, tmp_path):
    tensors = {name: float(t) if name.endswith(".alpha") else t for name, t in kohya_tensors(alpha=2.0).items()}
    torch.save(tensors, tmp_path / "x.pt")
    assert read_adapter(tmp_path / "x.pt", allow_pickle=True).alphas == (2.0,)


@pytest.mark.parametrize(
    ("down", "up", "sound"), [(1.0, 0.0, True), (1.0, 1.0, False), (float("nan"), 0.0, False), (0.0, 1.0, True)]
)
@pytest.mark.parametrize(
    "stem", ["text_encoders.clip_l.transformer.text_projection", f"lora_unet_{ATTENTION}_2", "lora_te2_text_projection"]
)
def test_a_module_that_changes_nothing_need_not_have_a_place(stem, down, up, sound, base, tmp_path):
    """ComfyUI extracts a text projection of CLIP, which is never trained and which the base has not."""
    good = f"lora_unet_{ATTENTION}"
    layer = base.components["unet"].get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k")
    out, inputs = layer.weight.shape
    tensors = {
        f"{good}.diff": torch.ones(out, inputs),
        f"{stem}.lora_down.weight": torch.full((2, inputs), down),
        f"{stem}.lora_up.weight": torch.full((out, 2), up),
    }
    save_file(tensors, tmp_path / "x.safetensors")
    report = match(read_adapter(tmp_path / "x.safetensors"), base.components)
    assert (report.problems == ()) == sound
    assert report.matched == 1
    assert (report.unmatched == ()) == sound
