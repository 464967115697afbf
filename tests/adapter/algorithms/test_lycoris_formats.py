"""Claim: a file of any LyCORIS algorithm gives the outputs of the network that wrote it."""

import re
from importlib.metadata import version

import pytest
import torch
from owf.core.adapter import applied, read_adapter
from packaging.version import Version
from safetensors.torch import load_file, save_file

needs_lycoris_4_1 = pytest.mark.skipif(
    Version(version("lycoris-lora")) < Version("4.1"), reason="this LyCORIS cannot run its own full matrices"
)

LINEAR = [
    ("locon", {}),
    ("locon", {"conv_lora_dim": 2, "conv_alpha": 3.0}),
    ("locon", {"conv_lora_dim": 0}),
    ("locon", {"use_tucker": True}),
    ("locon", {"use_scalar": True}),
    ("locon", {"rs_lora": True}),
    ("loha", {}),
    ("loha", {"use_tucker": True}),
    ("loha", {"rs_lora": True}),
    ("lokr", {"factor": 4, "lora_dim": 2, "conv_lora_dim": 2}),
    ("lokr", {"factor": 4, "lora_dim": 1, "conv_lora_dim": 1, "use_tucker": True}),
    ("lokr", {"factor": 8, "lora_dim": 1, "conv_lora_dim": 1, "decompose_both": True}),
    ("lokr", {"full_matrix": True}),
    ("lokr", {"factor": 4, "unbalanced_factorization": True}),
    ("lokr", {"factor": 2, "lora_dim": 1, "conv_lora_dim": 1, "rs_lora": True}),
    ("lokr", {"full_matrix": True, "rs_lora": True}),
    pytest.param("full", {}, marks=needs_lycoris_4_1),
    ("ia3", {}),
    ("ia3", {"train_on_input": True}),
    ("glora", {}),
    ("glora", {"rs_lora": True}),
    ("diag-oft", {}),
    ("diag-oft", {"constraint": 0.001}),
    ("locon", {"train_norm": True}),
]
ONLY_FULL_STRENGTH = [
    ("diag-oft", {"rescaled": True}),
    ("boft", {}),
    ("boft", {"constraint": 0.001}),
    ("boft", {"rescaled": True, "lora_dim": 8, "conv_lora_dim": 8}),
    ("locon", {"weight_decompose": True}),
    ("locon", {"weight_decompose": True, "wd_on_out": False}),
    ("locon", {"weight_decompose": True, "use_tucker": True}),
    ("loha", {"weight_decompose": True}),
    ("loha", {"weight_decompose": True, "wd_on_out": False}),
    ("lokr", {"weight_decompose": True, "factor": 4, "lora_dim": 2, "conv_lora_dim": 2}),
]


def _id(value):
    return value if isinstance(value, str) else "-".join(f"{key}={item}" for key, item in value.items())


def _check(base, written, strengths, largest_difference):
    adapter = read_adapter(written.path)
    before = base.outputs()
    for strength in strengths:
        with applied(base.components, adapter, strength) as report:
            after = base.outputs()
        assert report.problems == ()
        assert report.unmatched == ()
        assert largest_difference(after, written.outputs[strength]) < 1e-4
        assert largest_difference(after, before) > 1e-3, "the test file must change something"
    return adapter


@pytest.mark.parametrize(("algo", "settings"), LINEAR, ids=_id)
def test_outputs_are_the_writers(algo, settings, small_base, lycoris_file, largest_difference):
    _check(small_base, lycoris_file(algo, **settings), (1.0, 0.5), largest_difference)


@pytest.mark.parametrize(("algo", "settings"), ONLY_FULL_STRENGTH, ids=_id)
def test_outputs_are_the_writers_at_full_strength(algo, settings, small_base, lycoris_file, largest_difference):
    _check(small_base, lycoris_file(algo, **settings), (1.0,), largest_difference)


@pytest.mark.parametrize("make", [torch.Tensor.half, lambda alpha: alpha.reshape(1), torch.Tensor.double])
@pytest.mark.parametrize("algo", ["locon", "loha", "glora"])
def test_alphas_of_any_float_type_and_one_element_are_read(algo, make, small_base, lycoris_file, largest_difference):
    written = lycoris_file(algo)
    tensors = load_file(written.path)
    # 2 and 1 are exact in half precision
    save_file({key: make(value) if key.endswith(".alpha") else value for key, value in tensors.items()}, written.path)
    _check(small_base, written, (1.0,), largest_difference)


@pytest.mark.parametrize("algo", ["locon", "loha"])
def test_wrapper_names_are_read(algo, small_base, lycoris_file, largest_difference):
    adapter = _check(small_base, lycoris_file(algo, prefix="lycoris"), (1.0,), largest_difference)
    assert adapter.format == "LyCORIS wrapper"


def test_glora_of_earlier_versions_is_read(small_base, lycoris_file, largest_difference):
    """They named the factors the other way round: a1 and b1 stood next to the input."""
    written = lycoris_file("glora")
    turned = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}
    tensors = {
        re.sub(r"\b[ab][12]\b", lambda found: turned[found[0]], key): value
        for key, value in load_file(written.path).items()
    }
    save_file(tensors, written.path)
    _check(small_base, written, (1.0, 0.5), largest_difference)


def test_dylora_is_told_by_its_shapes(small_base, lycoris_file):
    written = lycoris_file("dylora", lora_dim=4, conv_lora_dim=4)
    assert any("DyLoRA" in warning for warning in read_adapter(written.path).warnings)


def test_tlora_is_named_and_refused(tmp_path):
    from owf.core.errors import AdapterError

    stem = "lora_unet_mid_block_attentions_0_proj_in"
    names = ("q_layer.weight", "p_layer.weight", "lambda_layer", "alpha")
    save_file({f"{stem}.{name}": torch.ones(2, 2) for name in names}, tmp_path / "t.safetensors")
    with pytest.raises(AdapterError, match="T-LoRA"):
        read_adapter(tmp_path / "t.safetensors")
