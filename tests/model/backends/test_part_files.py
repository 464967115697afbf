"""Text encoders and VAEs in files of their own, found where ComfyUI keeps them by what is in them, or named."""

import json

import pytest
import torch
from eight_bits import FORMATS, GROUP, in_eight_bits
from original_names import names_in_a_file
from owf.core.errors import UsageError
from owf.core.model.backends.files.vae_names import in_diffusers_names
from owf.core.model.backends.kept_as_stored import StoredLinear, plain_state
from owf.core.model.base import BaseChoice, choose_base, load_base
from owf.core.model.blueprint import blueprint
from owf.core.model.footprint import part_weights
from owf.core.model.memory import AS_LOADED
from part_files import encoder_file, save, vae_file, wan_name
from tiny_flows import PARTS, save_folder
from tiny_qwen import known_class

CPU = torch.device("cpu")
ENCODERS = ("text_encoder", "text_encoder_2")


class Models:
    """A base as ComfyUI keeps it: each part a file in a folder of its own, and settings in a folder without weights."""

    def __init__(self, family, folder):
        self.family, self.parts, self.root = family, PARTS[family](), folder / "ComfyUI" / "models"
        self.whole = save_folder(family, self.parts, folder / "whole")
        self.settings = save_folder(family, self.parts, folder / "settings")
        for weights in self.settings.rglob("*.safetensors"):
            weights.unlink()
        transformer = self.root / "diffusion_models" / "mine" / "transformer.safetensors"
        self.transformer = save(names_in_a_file(self.parts), transformer)
        self.files = {"vae": save(vae_file(self.parts.vae), self.root / "vae" / "a.safetensors")}
        for number, name in enumerate(name for name in ENCODERS if hasattr(self.parts, name)):
            place = self.root / ("clip" if number else "text_encoders")  # the older name is one of the folders, too
            self.files[name] = save(encoder_file(getattr(self.parts, name)), place / f"{number}.safetensors")
        self.config = folder / "config.toml"
        self.say()

    def say(self, base=None, **parts):
        """Write the user's settings."""
        named = "".join(f"{name} = {json.dumps(str(file))}\n" for name, file in parts.items())
        table = f"[parts.{self.family}]\n{named}" if parts else ""
        self.config.write_text(f'[bases]\n{self.family} = "{base or self.settings}"\n{table}')

    def load(self):
        return load_base(choose_base(str(self.transformer), None), CPU, torch.float32, offline=True)


@pytest.fixture
def models(request, tmp_path, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    return Models(request.param, tmp_path)


@pytest.fixture
def z_image(tmp_path, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    return Models("z_image", tmp_path)


def _require_same(loaded, expected):
    """Fail unless two bases have the same parts, but for the layer with which a language model would write."""
    for name, part in expected.components.items():
        found = loaded.components[name].state_dict()
        for key, value in part.state_dict().items():
            if key != "lm_head.weight":
                assert torch.equal(found[key], value) and found[key].dtype == value.dtype, key
    latents = torch.randn(1, *loaded.latent_shape, generator=torch.Generator().manual_seed(0))
    pictures = (torch.rand(1, 3, loaded.resolution, loaded.resolution) * 255).to(torch.uint8)
    assert torch.equal(loaded.decode(latents), expected.decode(latents))
    assert torch.equal(loaded.encode_image(pictures), expected.encode_image(pictures))
    prompts = ["a bag", "a coat on a chair"]
    assert torch.equal(loaded.encode_text(prompts).context, expected.encode_text(prompts).context)


@pytest.mark.parametrize("models", PARTS, indirect=True)
def test_parts_are_found_beside_a_transformer(models):
    save({"lora_unet_x.lora_up.weight": torch.ones(2, 2)}, models.root / "vae" / "b.safetensors")
    (models.root / "text_encoders" / "broken.safetensors").write_bytes(b"\xff" * 64)
    (models.root / "text_encoders" / "again.safetensors").symlink_to(models.files["text_encoder"])
    loaded = models.load()
    _require_same(loaded, load_base(BaseChoice(str(models.whole), "folder"), CPU, torch.float32, offline=True))
    assert loaded.digest() == models.load().digest()
    read = {row: file for row, file in loaded.host.items() if row.endswith(" read from")}
    assert sorted(read.values()) == sorted(file.name for file in models.files.values())
    assert read["VAE read from"] == "a.safetensors"
    assert blueprint(BaseChoice(str(models.transformer), "file")).family.name == models.family


def test_weights_in_the_folder_of_the_settings_are_read_first(z_image):
    z_image.say(base=z_image.whole)
    save({name: value * 0.5 for name, value in vae_file(z_image.parts.vae).items()}, z_image.files["vae"])
    loaded = z_image.load()
    _require_same(loaded, load_base(BaseChoice(str(z_image.whole), "folder"), CPU, torch.float32, offline=True))
    assert not any("read from" in row for row in loaded.host)


def test_a_part_that_is_named_is_read_before_any_other(z_image, tmp_path):
    halved = {name: value * 0.5 for name, value in vae_file(z_image.parts.vae).items()}
    other = save(halved, tmp_path / "elsewhere" / "my_vae.safetensors")
    z_image.say(base=z_image.whole, vae=other)
    loaded = z_image.load()
    assert loaded.host["VAE read from"] == "my_vae.safetensors"
    latents = torch.randn(1, *loaded.latent_shape)
    plain = load_base(BaseChoice(str(z_image.whole), "folder"), CPU, torch.float32, offline=True)
    assert not torch.equal(loaded.decode(latents), plain.decode(latents))


def test_a_transformer_may_be_the_usual_base_of_its_family(z_image, monkeypatch):
    """Then settings are those of the family's usual base, in the hub's cache; its weights need not be there."""
    import huggingface_hub

    def cached(repository, local_files_only):
        assert repository == "Tongyi-MAI/Z-Image-Turbo" and local_files_only
        return str(z_image.settings)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    z_image.say(base=z_image.transformer)
    loaded = load_base(choose_base(None, "z_image"), CPU, torch.float32, offline=True)
    assert loaded.name == "transformer.safetensors" and loaded.host["VAE read from"] == "a.safetensors"


def test_two_files_that_fit_are_named_with_the_setting_that_decides(z_image):
    save(vae_file(z_image.parts.vae), z_image.root / "vae" / "more" / "z.safetensors")
    expected = rf"2 files.*VAE: a\.safetensors, z\.safetensors.*vae = \"FILE\".*\[parts\.z_image\].*{z_image.config}"
    with pytest.raises(UsageError, match=expected):
        z_image.load()
    z_image.say(vae=z_image.files["vae"])
    assert z_image.load().host["VAE read from"] == "a.safetensors"


@pytest.mark.parametrize("change", ["gone", "another width", "another depth", "more", "twice", "elsewhere"])
@pytest.mark.parametrize("part", ["vae", "text_encoder"])
def test_a_part_that_is_not_there_is_said_with_what_was_seen(z_image, part, change):
    file = z_image.files[part]
    tensors = vae_file(z_image.parts.vae) if part == "vae" else encoder_file(z_image.parts.text_encoder)
    name = min(name for name, value in tensors.items() if value.ndim > 1)
    words = rf"Nor is there.*{file.parent}.*but {file.name}.*{part} = \"FILE\""
    file.unlink()
    if change == "gone":
        words = rf"has no weights.*Nor is there.*{file.parent}[^,]*\. Name the file by {part} = \"FILE\""
    elif change == "elsewhere":
        z_image.transformer = z_image.transformer.rename(z_image.root / "transformer.safetensors")
        words = r"has no weights.*lies in no diffusion_models or unet.*text_encoder = |lies in no.*vae = "
    elif change == "another width":
        save(tensors | {name: tensors[name][:-1]}, file)
    elif change == "another depth":
        save({key: value for key, value in tensors.items() if key != name}, file)
    elif change == "twice":
        names = {
            "vae": "encoder.norm_out.bias encoder.conv_norm_out.bias",
            "text_encoder": "model.norm.weight norm.weight",
        }
        first, second = names[part].split()
        save(tensors | {second: tensors[first]}, file)
    else:
        save(tensors | {f"decoder.up.{'9' * 5000}.block.0.weight": torch.ones(2)}, file)
    with pytest.raises(UsageError, match=words):
        z_image.load()


def test_of_files_that_fit_one_in_a_format_that_is_not_read_does_not_count(z_image):
    stored = dict(encoder_file(z_image.parts.text_encoder))
    stem = min(n for n, v in stored.items() if v.ndim == 2 and "layers" in n).removesuffix(".weight")
    weight = stored[f"{stem}.weight"]
    stored[f"{stem}.weight"] = torch.zeros(len(weight), weight.shape[1] // 2, dtype=torch.uint8)
    stored[f"{stem}.weight_scale"] = torch.ones(len(weight), weight.shape[1] // 16)
    said = json.dumps({"format": "nvfp4"}).encode()
    stored[f"{stem}.comfy_quant"] = torch.tensor(list(said), dtype=torch.uint8)
    four_bits = save(stored, z_image.root / "text_encoders" / "four_bits.safetensors")
    assert z_image.load().host["text encoder read from"] == z_image.files["text_encoder"].name
    z_image.files["text_encoder"].unlink()
    with pytest.raises(UsageError, match=rf"{four_bits}.*nvfp4"):
        z_image.load()


def _in_layers(name):
    return "layers" in name or "block" in name


@pytest.mark.parametrize("kind", ["e4m3", "e4m3-layer", "int8-rows"])
@pytest.mark.parametrize(
    ("models", "part"),
    [("z_image", "text_encoder"), ("qwen_image", "text_encoder"), ("flux", "text_encoder"), ("flux", "text_encoder_2")],
    indirect=["models"],
)
def test_text_encoders_of_8_bits_keep_them_and_are_their_values(models, part, kind):
    found = []
    for tensors in in_eight_bits(encoder_file(getattr(models.parts, part)), FORMATS[kind], _in_layers):
        save(tensors, models.files[part])
        found.append(models.load())
        seen = part_weights(blueprint(BaseChoice(str(models.transformer), "file")), torch.float32, AS_LOADED)
        weights = sum(parameter.nbytes for parameter in found[-1].components[part].parameters())
        assert seen[part] == weights
    kept, plain = (base.components[part] for base in found)
    assert [type(layer) for layer in plain.modules() if isinstance(layer, StoredLinear)] == []
    eight = {name for name, layer in kept.named_modules() if isinstance(layer, StoredLinear)}
    assert eight == {
        name
        for name, layer in plain.named_modules()
        if type(layer) is torch.nn.Linear and _in_layers(name) and layer.in_features % GROUP == 0
    }
    for (name, value), (other, expected) in zip(plain_state(kept), plain_state(plain), strict=True):
        assert name == other and torch.equal(value, expected)
    prompts = ["a bag", "a coat on a chair"]
    assert torch.equal(found[0].encode_text(prompts).context, found[1].encode_text(prompts).context)
    assert found[0].digest() == found[1].digest()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[parts]\nz_image = "vae.safetensors"', "is a table"),
        ('[parts.nothing]\nvae = "x"', "no table of parts of 'nothing'.*z_image"),
        ('[parts.z_image]\nclip = "x"', "no part 'clip'.*text_encoder, vae"),
        ("[parts.z_image]\nvae = 3", "path of a file"),
        ('[parts.z_image]\nvae = "/nowhere/x.safetensors"', "/nowhere/x.safetensors"),
    ],
)
def test_settings_of_parts_that_mean_nothing_are_refused(z_image, text, words):
    z_image.config.write_text(f'[bases]\nz_image = "{z_image.settings}"\n{text}\n')
    with pytest.raises(UsageError, match=words):
        z_image.load()


@pytest.mark.parametrize("models", PARTS, indirect=True)
def test_vaes_are_read_under_either_name(models):
    original, live = vae_file(models.parts.vae), models.parts.vae.state_dict()
    assert set(in_diffusers_names(original).values()) == live.keys()
    assert in_diffusers_names(live) == {name: name for name in live}


def test_names_of_wans_vae_are_what_diffusers_makes_of_them():
    from diffusers.loaders import single_file_utils

    convert = getattr(single_file_utils, "convert_wan_vae_to_diffusers", None)
    live = known_class("AutoencoderKLWan")(base_dim=8, z_dim=4).state_dict()  # with layers of Qwen-Image's names
    original = [wan_name(name, resnets=3) for name in live]
    found = in_diffusers_names(original)
    assert set(found.values()) == live.keys()
    if convert is None:
        pytest.skip("this diffusers does not know it")
    assert found == {name: there for there, name in convert({name: name for name in original}).items()}
