"""Transformers alone in a file, under the names of their original code, with the rest of the base in a folder."""

import json

import pytest
import torch
from eight_bits import FOUR, scaled_fp8, text_tensor
from ldm_checkpoint import vae_tensors
from original_names import names_in_a_file, original_names
from owf.core.errors import UsageError
from owf.core.model.backends.kept_as_stored import plain_state
from owf.core.model.base import BaseChoice, choose_base, load_base
from owf.core.model.blueprint import blueprint
from owf.core.model.stored import dtype_of_base
from part_files import vae_file
from safetensors.torch import load_file, save_file
from tiny_flows import PARTS, save_folder

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=PARTS)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def parts(family):
    return PARTS[family]()


@pytest.fixture
def folder(family, parts, tmp_path, monkeypatch):
    """A diffusers folder of the base that the settings name, whose transformer is another."""
    folder = save_folder(family, parts, tmp_path / "base")
    path = next((folder / "transformer").glob("*.safetensors"))
    save_file({name: value * 0.5 for name, value in load_file(path).items()}, path)
    (tmp_path / "config.toml").write_text(f'[bases]\n{family} = "{folder}"\n')
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    return folder


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "net."])
def test_a_file_is_loaded_with_the_rest_of_its_base(family, parts, folder, prefix, tmp_path):
    tensors = {f"{prefix}{name}": value for name, value in names_in_a_file(parts).items()}
    save_file(tensors, tmp_path / "mine.safetensors")
    choice = choose_base(str(tmp_path / "mine.safetensors"), None)
    loaded = load_base(choice, CPU, torch.float32, offline=True)
    assert (loaded.name, loaded.family) == ("mine.safetensors", family)
    for part in loaded.components.keys() & {"transformer", "text_conditioner"}:
        found, expected = loaded.components[part].state_dict(), getattr(parts, part).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert blueprint(choice).family.name == family
    assert dtype_of_base("auto", torch.device("meta"), choice) == torch.bfloat16


def test_a_file_without_a_folder_for_the_rest_says_what_to_do(family, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "config.toml").write_text(f'[bases]\n{family} = "nobody/nothing-of-this-name"\n')
    save_file(names_in_a_file(parts), tmp_path / "mine.safetensors")
    with pytest.raises(UsageError, match=rf"alone.*\[bases\].*{family} = "):
        load_base(BaseChoice(str(tmp_path / "mine.safetensors"), "file"), CPU, torch.float32, offline=True)


PLAIN = ("linear2.weight", "attention.out.weight", "attn.wo.weight", "img_mlp.net.2.weight", "mlp.layer2.weight")
"""How names of layers end that are one layer here."""


@pytest.mark.parametrize("change", ["missing", "unknown", "twice", "shape", "rows"])
def test_files_that_are_not_whole_are_refused(family, parts, folder, change, tmp_path):
    tensors = names_in_a_file(parts)
    plain = next(name for name in tensors if name.endswith(PLAIN))
    fused = next((name for name in tensors if name.endswith("qkv.weight")), plain)
    if change == "missing":
        del tensors[plain]
    elif change == "unknown":
        tensors[f"{fused}.more"] = torch.ones(1)
    elif change == "twice":
        tensors[f"diffusion_model.{plain}"] = tensors[plain].clone()
    elif change == "shape":
        tensors[plain] = tensors[plain][:, :-1].contiguous()
    else:
        tensors[fused] = tensors[fused][:-3].contiguous()
    save_file(tensors, tmp_path / "mine.safetensors")
    words = {"missing": "not in the file", "unknown": "no place", "twice": "twice", "shape": "shape", "rows": "rows"}
    if fused == plain:  # of one layer alone, they are its shape
        words["rows"] = "shape"
    choice = choose_base(str(tmp_path / "mine.safetensors"), None)
    with pytest.raises(UsageError, match=words[change]):
        load_base(choice, CPU, torch.float32, offline=True)
    if change in ("missing", "unknown"):  # which names alone show, to dry runs as well
        with pytest.raises(UsageError, match=words[change]):
            blueprint(choice)


def test_weights_of_8_bits_that_hold_values_are_read(family, parts, folder, tmp_path):
    tensors = {name: value.to(torch.float8_e4m3fn) for name, value in names_in_a_file(parts).items()}
    save_file(tensors, tmp_path / "mine.safetensors")
    loaded = load_base(choose_base(str(tmp_path / "mine.safetensors"), None), CPU, torch.float32, offline=True)
    found = dict(plain_state(loaded.components["transformer"]))
    for name, value in parts.transformer.state_dict().items():
        assert torch.equal(found[name], value.to(torch.float8_e4m3fn).float())


@pytest.mark.parametrize("kind", sorted(PARTS.keys() - {"qwen_image"}))  # whose original names are diffusers'
def test_a_file_in_the_names_of_diffusers_says_to_name_its_folder(kind, tmp_path):
    save_file(PARTS[kind]().transformer.state_dict(), tmp_path / "mine.safetensors")
    with pytest.raises(UsageError, match=r"name the folder with its model_index\.json"):
        load_base(choose_base(str(tmp_path / "mine.safetensors"), None), CPU, torch.float32, offline=True)


EDITING = {
    "qwen_image_edit_2509_bf16": "qwen_image",
    "QwenImageEdit": "qwen_image",
    "krea2-edit": "krea2",
    "flux1-dev-kontext_fp8_scaled": "flux",
    "flux1-kontext-dev": "flux",
    "z_image_edit_bf16": "z_image",
}
"""Names of files of models that edit pictures -> family whose layers they have."""


@pytest.mark.parametrize(("name", "kind"), EDITING.items())
def test_what_only_its_name_tells_from_a_model_of_text_alone_is_refused_by_it(name, kind, tmp_path):
    transformer = PARTS[kind]().transformer
    save_file(original_names(transformer), tmp_path / f"{name}.safetensors")
    with pytest.raises(UsageError, match="edits pictures"):
        load_base(choose_base(str(tmp_path / f"{name}.safetensors"), None), CPU, torch.float32, offline=True)


ENCODERS = {
    "flux": {"text_encoder": "text_encoders.clip_l.transformer.", "text_encoder_2": "text_encoders.t5xxl.transformer."},
    "z_image": {"text_encoder": "text_encoders.qwen3_4b.transformer."},
}
"""How ComfyUI's whole checkpoints begin the names of text encoders."""


def _whole(family, parts):
    """Return the weights of all parts as ComfyUI's whole checkpoints have them: those of text encoders once each."""
    tensors = {f"model.diffusion_model.{name}": value for name, value in names_in_a_file(parts).items()}
    tensors |= {f"vae.{name}": value for name, value in vae_tensors(parts.vae).items()}
    for part, prefix in ENCODERS[family].items():
        encoder = getattr(parts, part)
        level = {"CLIPTextModel": "text_model.", "Qwen3Model": "model."}.get(type(encoder).__name__, "")
        for name, value in encoder.named_parameters():
            tensors[f"{prefix}{level}{name.removeprefix('text_model.')}"] = value.detach()
    clip = ENCODERS["flux"]["text_encoder"]
    more = {f"{clip}text_projection.weight": torch.eye(24), "text_encoders.clip_l.logit_scale": torch.tensor(4.6)}
    return tensors | (more if family == "flux" else {})


@pytest.fixture(params=ENCODERS)
def whole(request, tmp_path, monkeypatch):
    """Family, parts and weights of a whole file; the folder that the settings name holds other weights."""
    family = request.param
    parts, other = PARTS[family](), PARTS[family](seed=1)
    folder = save_folder(family, other, tmp_path / "base")
    (tmp_path / "config.toml").write_text(f'[bases]\n{family} = "{folder}"\n')
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    return family, parts, _whole(family, parts)


def _base(tensors, path):
    save_file(tensors, path)
    return load_base(choose_base(str(path), None), CPU, torch.float32, offline=True)


def test_a_whole_file_is_read_with_its_own_text_encoders_and_vae(whole, tmp_path):
    family, parts, tensors = whole
    loaded = _base(tensors, tmp_path / "whole.safetensors")
    assert loaded.family == family
    for name in ("transformer", *ENCODERS[family]):
        found, expected = loaded.components[name].state_dict(), getattr(parts, name).state_dict()
        bare = {key.removeprefix("text_model."): value for key, value in found.items()}
        assert all(torch.equal(bare[key.removeprefix("text_model.")], value) for key, value in expected.items())
    latents = torch.randn(1, *loaded.latent_shape, generator=torch.Generator().manual_seed(0))
    own = _base({k: v for k, v in tensors.items() if not k.startswith("vae.")}, tmp_path / "less.safetensors")
    assert not torch.equal(loaded.decode(latents), own.decode(latents))  # the folder's VAE is another
    with torch.no_grad():
        picture = parts.vae.decode(latents / 0.3611 + 0.1159).sample
    expected = ((picture / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    assert (loaded.decode(latents).int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("change", ["text encoder", "vae", "strange", "other encoder"])
def test_whole_files_that_are_not_whole_are_refused(whole, change, tmp_path):
    family, _, tensors = whole
    prefix = next(iter(ENCODERS[family].values()))
    if change == "text encoder":
        del tensors[min(name for name in tensors if name.startswith(prefix) and "layer" in name)]
    elif change == "vae":
        del tensors["vae.decoder.conv_in.weight"]
    elif change == "strange":
        tensors["control_model.input.weight"] = torch.ones(2, 2)
    else:
        tensors["text_encoders.another.transformer.layer.weight"] = torch.ones(2, 2)
    words = {"text encoder": "not in the file", "vae": "VAE"}.get(change, "belong to no part")
    with pytest.raises(UsageError, match=words):
        _base(tensors, tmp_path / "whole.safetensors")


@pytest.mark.parametrize("family", ["flux2_klein", "krea2", "qwen_image", "anima"])
def test_a_whole_file_is_read_with_a_vae_that_diffusers_does_not_convert(family, tmp_path, monkeypatch):
    parts, other = PARTS[family](), PARTS[family](seed=1)
    folder = save_folder(family, other, tmp_path / "base")
    (tmp_path / "config.toml").write_text(f'[bases]\n{family} = "{folder}"\n')
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    tensors = {f"model.diffusion_model.{name}": value for name, value in names_in_a_file(parts).items()}
    alone = _base(tensors, tmp_path / "alone.safetensors")
    tensors |= {f"vae.{name}": value.contiguous().clone() for name, value in vae_file(parts.vae).items()}
    whole = _base(tensors, tmp_path / "whole.safetensors")
    expected = load_base(
        BaseChoice(str(save_folder(family, parts, tmp_path / "own")), "folder"), CPU, torch.float32, offline=True
    )
    latents = torch.randn(1, *whole.latent_shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(whole.decode(latents), expected.decode(latents))
    assert not torch.equal(whole.decode(latents), alone.decode(latents))
    del tensors["vae.decoder.conv_in.weight" if family == "flux2_klein" else "vae.decoder.conv1.weight"]
    with pytest.raises(UsageError, match="VAE"):
        _base(tensors, tmp_path / "less.safetensors")


def _loaded(tensors, path, metadata=None):
    save_file(tensors, path, metadata=metadata)
    return load_base(choose_base(str(path), None), CPU, torch.float32, offline=True).components["transformer"]


def _require_equal(tensors, values, tmp_path, metadata=None):
    found = dict(plain_state(_loaded(tensors, tmp_path / "scaled.safetensors", metadata)))
    expected = _loaded(values, tmp_path / "plain.safetensors").state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("scale_name", "per_row", "text"),
    [("scale_weight", False, None), ("weight_scale", False, {"format": "float8_e4m3fn"}), ("weight_scale", True, {})],
)
def test_scaled_weights_of_8_bits_are_their_values(family, parts, folder, scale_name, per_row, text, tmp_path):
    stored, values = scaled_fp8(names_in_a_file(parts), scale_name, per_row, text)
    _require_equal(stored, values, tmp_path)


@pytest.mark.parametrize(
    ("written", "named"), [("", ""), ("model.diffusion_model.", ""), ("diffusion_model.", "diffusion_model.")]
)
def test_the_header_may_say_how_layers_are_stored(parts, folder, written, named, tmp_path):
    """ComfyUI's QUANTIZATION.md: formats by the names of layers, with what stands before all of them or without."""
    stored, values = scaled_fp8(names_in_a_file(parts), "weight_scale", False, {})
    stems = [name.removesuffix(".weight_scale") for name in stored if name.endswith(".weight_scale")]
    stored = {f"{written}{name}": value for name, value in stored.items() if not name.endswith(".comfy_quant")}
    layers = {f"{named}{stem}": {"format": "float8_e4m3fn"} for stem in stems}
    metadata = {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layers})}
    _require_equal(stored, values, tmp_path, metadata)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("group", [0, 4, 16])
def test_whole_numbers_of_8_bits_are_their_values(parts, folder, group, per_row, tmp_path):
    stored, values = dict(names_in_a_file(parts)), {}
    turn = {0: torch.ones(1, 1), 4: FOUR / 2, 16: torch.kron(FOUR, FOUR) / 4}[group]
    said = {"format": "int8_tensorwise", **({"params": {"convrot": True}, "convrot_groupsize": group} if group else {})}
    for name, value in list(stored.items()):
        values[name] = value
        if name.endswith(".weight") and value.ndim == 2 and value.shape[1] % 16 == 0:
            turned = (value.reshape(len(value), -1, len(turn)) @ turn.T).reshape(value.shape)
            scale = (turned.abs().amax(1, keepdim=True) if per_row else turned.abs().max()) / 127
            stored[name] = (turned / scale).round().to(torch.int8)
            stem = name.removesuffix(".weight")
            stored |= {f"{stem}.weight_scale": scale, f"{stem}.comfy_quant": text_tensor(said)}
            # Sums of whole numbers are exact, so that turning rounds nothing: the scale does, once
            back = (stored[name].double().reshape(len(value), -1, len(turn)) @ turn.double()).reshape(value.shape)
            values[name] = back.float() * scale
            # Half a step of rounding for each of the group's numbers, of which one is made again
            assert (values[name] - value).abs().max() <= scale.max() * max(group, 1) ** 0.5 / 2 * 1.01
    _require_equal(stored, values, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "nvfp4"}, "nvfp4"),
        ({"format": "mxfp8"}, "mxfp8"),
        ({"format": "float8_e4m3fn", "convrot": True}, "convrot"),
        ({"format": "int8_tensorwise"}, "int8_tensorwise, but its numbers are of type F8_E4M3"),
        ({"format": "float8_e5m2"}, "float8_e5m2, but its numbers are of type F8_E4M3"),
        ({"format": ["float8_e4m3fn"]}, "quantised as"),
        ([1], "no table"),
        (None, "cannot be read"),
        ("shape", "shape"),
        ("alone", "belongs to no weight"),
        ("two", "two scales"),
        ("no scale", "have no scale"),
    ],
)
def test_scales_that_are_not_understood_are_refused(parts, folder, change, words, tmp_path):
    stored, _ = scaled_fp8(names_in_a_file(parts), "weight_scale", False, {"format": "float8_e4m3fn"})
    scale = next(name for name in stored if name.endswith(".weight_scale"))
    stem = scale.removesuffix(".weight_scale")
    if change == "shape":
        stored[scale] = torch.ones(3)
    elif change == "alone":
        stored["nothing.weight_scale"] = torch.ones(())
    elif change == "two":
        stored[f"{stem}.scale_weight"] = torch.ones(())
    elif change == "no scale":
        del stored[scale]
    else:
        stored[f"{stem}.comfy_quant"] = (
            torch.tensor([123], dtype=torch.uint8) if change is None else text_tensor(change)
        )
    with pytest.raises(UsageError, match=words):
        _loaded(stored, tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    ("place", "value"), [("scale", float("nan")), ("scale", float("inf")), ("number", float("nan"))]
)
def test_scaled_weights_that_are_not_finite_are_refused(parts, folder, place, value, tmp_path):
    stored, _ = scaled_fp8(names_in_a_file(parts), "weight_scale", True, {"format": "float8_e4m3fn"})
    scale = next(name for name in stored if name.endswith(".weight_scale"))
    changed = scale if place == "scale" else f"{scale.removesuffix('.weight_scale')}.weight"
    wide = stored[changed].float()
    wide.view(-1)[-1] = value
    stored[changed] = wide.to(stored[changed].dtype)
    with pytest.raises(UsageError, match="holds NaN or infinite weights"):
        _loaded(stored, tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({"nothing": {"format": "float8_e4m3fn"}}, "names nothing"),
        ({"LAYER": {"format": "mxfp8"}}, "mxfp8"),
        ({"LAYER": "float8_e4m3fn"}, "no table"),
        (["LAYER"], "no table"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_headers_that_are_not_understood_are_refused(parts, folder, layers, words, tmp_path):
    stored, _ = scaled_fp8(names_in_a_file(parts), "weight_scale", False, {"format": "float8_e4m3fn"})
    layer = next(name.removesuffix(".weight_scale") for name in stored if name.endswith(".weight_scale"))
    said = layers if isinstance(layers, str) else json.dumps({"layers": layers}).replace("LAYER", layer)
    with pytest.raises(UsageError, match=words):
        _loaded(stored, tmp_path / "mine.safetensors", {"_quantization_metadata": said})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "does not say how"),
        ({"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": 8}, "do not fit"),
        ({"format": "int8_tensorwise", "convrot": True}, "do not fit"),  # groups of 256 in a layer of fewer inputs
        ({"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": 4**30}, "do not fit"),
        ({"format": "int8_tensorwise", "zero_point": 3}, "zero_point"),
        ({"format": "convrot_w4a4"}, "convrot_w4a4"),
    ],
)
def test_whole_numbers_that_are_not_understood_are_refused(parts, folder, said, words, tmp_path):
    stored = names_in_a_file(parts)
    name = next(name for name in stored if name.endswith(PLAIN))
    stored[name] = torch.ones_like(stored[name], dtype=torch.int8)
    stored[name.replace(".weight", ".weight_scale")] = torch.ones(())
    if said is not None:
        stored[name.replace(".weight", ".comfy_quant")] = text_tensor(said)
    with pytest.raises(UsageError, match=words):
        _loaded(stored, tmp_path / "mine.safetensors")
