"""The diffusers backend: loading from folder and file, encoding, batching, and switching adapters exactly."""

import shutil

import numpy as np
import pytest
import torch
from ldm_checkpoint import write_checkpoint
from owf.core.adapter import applied, read_adapter
from owf.core.errors import OFF, InvalidError, Setting, UsageError
from owf.core.model import base
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.base import BaseChoice, choose_base, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.classifier import image_errors
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from owf.core.model.diffusion.schedule import spaced_timesteps, trailing_timesteps
from owf.core.plan.audit_plan import Stage
from tiny_sd import tiny_parts, write_tiny_lora

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def denoiser():
    return DiffusersDenoiser(tiny_parts(), "tiny", "demo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from diffusers import StableDiffusionPipeline

    parts = tiny_parts()
    pipeline = StableDiffusionPipeline(
        **vars(parts), safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    path = tmp_path_factory.mktemp("base")
    pipeline.save_pretrained(path)
    return path


def test_a_folder_loads_as_it_was_saved(folder, denoiser):
    loaded = load_base(choose_base(str(folder), None), CPU, torch.float32, offline=True)
    assert loaded.digest() == denoiser.digest()
    assert (loaded.resolution, loaded.latent_shape, loaded.family) == (64, (4, 8, 8), "custom")


def test_a_single_file_checkpoint_loads_offline_with_the_shipped_layout(tmp_path, monkeypatch):
    # The real configuration with the real names, only narrow: what is shipped for sd15 is 2 GB of weights wide.
    parts = tiny_parts(width=768)
    config = tmp_path / "configs" / "sd15"
    shutil.copytree(base.CONFIGS / "sd15", config)
    parts.unet.save_config(config / "unet")
    parts.vae.save_config(config / "vae")
    parts.text_encoder.config.save_pretrained(config / "text_encoder")
    monkeypatch.setattr(base, "CONFIGS", tmp_path / "configs")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file = write_checkpoint(parts, tmp_path / "model.safetensors")
    loaded = load_base(choose_base(str(file), None), CPU, torch.float32, offline=True)
    assert (loaded.family, loaded.name) == ("sd15", "model.safetensors")
    expected = DiffusersDenoiser(parts, "tiny", "sd15")
    cond = [d.encode_text(["a photo of a cat"]) for d in (loaded, expected)]
    torch.testing.assert_close(cond[0].context, cond[1].context)
    x, t = gaussian((1, 4, 8, 8), 0, "x"), torch.tensor([300])
    torch.testing.assert_close(loaded.predict(x, t, cond[0]), expected.predict(x, t, cond[1]))
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.encode_image(image), expected.encode_image(image))
    assert torch.equal(loaded.decode(x), expected.decode(x))


def test_digest_depends_on_the_weights(denoiser):
    assert DiffusersDenoiser(tiny_parts(seed=1), "other", "demo").digest() != denoiser.digest()


def test_image_coding_matches_the_pipeline(denoiser):
    images = torch.randint(0, 256, (3, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    latents = denoiser.encode_image(images)
    vae = denoiser._vae
    expected = vae.encode(images.float() / 127.5 - 1).latent_dist.mode() * vae.config.scaling_factor
    torch.testing.assert_close(latents, expected)
    assert denoiser.decode(latents).dtype == torch.uint8


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_errors_are_equal_in_batches_of_1_and_64_and_in_a_plain_loop(denoiser, loss):
    classes = denoiser.encode_text(["a photo of a bag", "a photo of a coat", "a photo of a dress"])
    x0 = gaussian((4, 8, 8), 5, "x")
    one, many = (
        image_errors(denoiser, x0[None], ["i"], classes, (Stage(8, 1),), loss, 0, Batching(b))[0] for b in (1, 64)
    )
    np.testing.assert_allclose(one, many, rtol=1e-5)
    for k in range(3):
        for j, t in enumerate(spaced_timesteps(8, 1000)):
            eps, time = gaussian((4, 8, 8), 0, "i", t)[None], torch.tensor([t])
            error = denoiser.predict(denoiser.schedule.noise(x0[None], eps, time), time, classes.rows([k])) - eps
            plain = error.abs().mean() if loss == "l1" else error.square().mean()
            assert many[k, j] == pytest.approx(float(plain), rel=1e-5)


def test_images_do_not_depend_on_their_company(denoiser):
    sampling = Sampling(4, 3.0)
    _, together = generate(denoiser, ["a bag", "a coat", "a dress"], [1, 2, 3], sampling, Batching(4))
    _, alone = generate(denoiser, ["a coat"], [2], sampling, Batching(4))
    torch.testing.assert_close(alone[0], together[1], atol=1e-4, rtol=1e-4)


def test_sampling_equals_diffusers_ddim(denoiser):
    from diffusers import DDIMScheduler

    steps, scale = 5, 3.0  # divides 1000, so that both agree on the previous timestep
    _, ours = generate(denoiser, ["a bag"], [7], Sampling(steps, scale), Batching(4))
    ddim = DDIMScheduler(
        1000, 0.00085, 0.012, "scaled_linear", clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    ddim.set_timesteps(steps)
    assert ddim.timesteps.tolist() == trailing_timesteps(steps, 1000)
    cond = denoiser.encode_text(["a bag", ""])
    x = gaussian((4, 8, 8), 7, "sample|a bag")[None]
    for t in ddim.timesteps:
        with_prompt, without = denoiser.predict(x.repeat(2, 1, 1, 1), t.repeat(2), cond).chunk(2)
        x = ddim.step(without + scale * (with_prompt - without), t, x, return_dict=False)[0]
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=1e-4)


def test_adapter_off_is_bit_exact_and_strength_zero_is_the_base(denoiser, tmp_path):
    adapter = read_adapter(write_tiny_lora(tmp_path / "a.safetensors"))
    sampling = Sampling(2, 1.0)
    draw = lambda: generate(denoiser, ["a bag"], [0], sampling, Batching(4))[1].numpy().tobytes()  # noqa: E731
    before, digest = draw(), denoiser.digest()
    with applied(denoiser.components, adapter, 1.0) as match:
        assert match.matched == 3
        assert draw() != before
    assert draw() == before
    with applied(denoiser.components, adapter, 0.0):
        assert draw() == before
    assert DiffusersDenoiser(vars_of(denoiser), "again", "demo").digest() == digest


def vars_of(denoiser):
    parts = tiny_parts()
    parts.unet, parts.text_encoder, parts.vae = *denoiser.components.values(), denoiser._vae
    return parts


def test_nan_images_are_invalid(denoiser):
    with pytest.raises(InvalidError, match="NaN"):
        denoiser.decode(torch.full((1, 4, 8, 8), float("nan")))


@pytest.mark.parametrize(
    ("base", "words"),
    [("/no/such/folder", "no such file"), ("./x.safetensors", "no such file"), ("a/b/c", "no such file")],
)
def test_missing_bases_are_named(base, words):
    with pytest.raises(UsageError, match=words):
        choose_base(base, "sd15")


def test_without_base_the_family_is_looked_up(tmp_path, monkeypatch):
    monkeypatch.setenv("APPDATA", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert choose_base(None, "sd15") == BaseChoice("stable-diffusion-v1-5/stable-diffusion-v1-5", "hub")
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    with pytest.raises(UsageError, match=r"OWF_CONFIG names .*config\.toml"):
        choose_base(None, "sd15")
    (tmp_path / "config.toml").write_text(f'[bases]\nsd15 = "{tmp_path}"\n')
    assert choose_base(None, "sd15") == BaseChoice(str(tmp_path), "folder")
    with pytest.raises(UsageError, match="name one") as caught:
        choose_base(None, None)
    assert caught.value.settings == (Setting("base"),)
    with pytest.raises(UsageError, match="inspect"):
        choose_base(None, "wan")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[bases]\nsd1 = "x.safetensors"', ["config.toml", "'sd1'", "sd15", "sdxl"]),
        ('[bases]\nSD15 = "x.safetensors"', ["'SD15'", "sd15"]),
        ('[bases]\ndemo = "x.safetensors"', ["'demo'"]),
        ('[base]\nsd15 = "x.safetensors"', ["'base'", "[bases]"]),
        ("[bases]\nsd15 = 1", ["must map"]),
        ('[bases]\nsd15 = "./none.safetensors"', ["config.toml, sd15", "no such file"]),
        ("[bases", ["config.toml"]),
    ],
)
def test_settings_that_mean_nothing_are_said(text, words, tmp_path, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        choose_base(None, "sd15")
    assert all(word in str(caught.value) for word in words), caught.value


def test_offline_hub_ids_say_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match="nothing may be fetched") as caught:
        load_base(BaseChoice("nobody/nothing-of-this-name", "hub"), CPU, torch.float32, offline=True)
    assert caught.value.settings == (Setting("offline", OFF), Setting("base"))


def test_broken_folders_and_files_are_usage_errors(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(UsageError):
        load_base(BaseChoice(str(tmp_path), "folder"), CPU, torch.float32, offline=True)
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(UsageError, match="FluxPipeline"):
        load_base(BaseChoice(str(tmp_path), "folder"), CPU, torch.float32, offline=True)
    for name in ("x.safetensors", "x.ckpt"):
        (tmp_path / name).write_bytes(b"\x80junk")
        with pytest.raises(UsageError):
            load_base(choose_base(str(tmp_path / name), None), CPU, torch.float32, offline=True)


def _lacking(weights):
    return dict(list(weights.items())[3:])


def _renamed(weights):
    return {f"renamed.{name}": value for name, value in weights.items()}


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("damage", [_lacking, _renamed])
def test_weights_that_are_not_in_the_folder_are_never_random(folder, tmp_path, part, damage):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "base")
    (file,) = (tmp_path / "base" / part).glob("*.safetensors")
    save_file(damage(load_file(file)), file, metadata={"format": "pt"})
    for dtype in (torch.float32, torch.bfloat16):
        with pytest.raises(UsageError, match=f"{part}: (3 weights|[0-9]+ weights) that its config.json asks for"):
            load_base(choose_base(str(tmp_path / "base"), None), CPU, dtype, offline=True)


def test_half_precision_is_that_of_the_whole_pipeline(folder):
    loaded = load_base(choose_base(str(folder), None), CPU, torch.bfloat16, offline=True)
    modules = (*loaded.components.values(), loaded._vae)
    assert {p.dtype for module in modules for p in module.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("kind", [["os", "system"], ["transformers", "NoSuchModel"], None, "CLIPTextModel"])
def test_parts_of_unknown_kinds_are_refused(folder, tmp_path, kind):
    import json

    shutil.copytree(folder, tmp_path / "base")
    file = tmp_path / "base" / "model_index.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "text_encoder": kind}))
    with pytest.raises(UsageError, match="text_encoder"):
        load_base(choose_base(str(tmp_path / "base"), None), CPU, torch.float32, offline=True)
