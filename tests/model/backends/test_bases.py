"""Bases as people have them: whole ones are read, whatever their files are called; others are one sentence."""

import json
import shutil

import pytest
import torch
from no_files import NO_FILES, in_time, put
from owf.core import families
from owf.core.errors import UsageError
from owf.core.model import base
from owf.core.model.base import BaseChoice, choose_base, load_base
from owf.core.model.blueprint import blueprint
from safetensors.torch import load_file, save_file
from tiny_sd import tiny_parts

CPU = torch.device("cpu")
WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from diffusers import StableDiffusionPipeline

    path = tmp_path_factory.mktemp("base")
    pipeline = StableDiffusionPipeline(
        **vars(tiny_parts()), safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    pipeline.save_pretrained(path)
    return path


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "base")


def load(path, dtype=torch.float32):
    return load_base(choose_base(str(path), None), CPU, dtype, offline=True)


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def settings(**values):
    return lambda folder: edit(folder / "scheduler" / "scheduler_config.json", **values)


def refused(folder, *words):
    with pytest.raises(UsageError) as caught:
        load(folder)
    message = str(caught.value)
    assert all(word in message for word in (folder.name, *words)), message


def weights(folder, part):
    return folder / part / WEIGHTS[part]


def rewrite(file, change, name=None):
    tensors = change(load_file(file))
    file.unlink()
    save_file(tensors, file.with_name(name or file.name), metadata={"format": "pt"})


@pytest.mark.parametrize("variant", ["fp16", "non_ema", "bf16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_are_found_under_any_variant(folder, variant, dtype):
    for part in WEIGHTS:
        file = weights(folder, part)
        rewrite(file, lambda tensors: tensors, f"{file.stem}.{variant}.safetensors")
    assert load(folder, dtype).dtype == dtype


def test_a_mix_of_variants_takes_the_precision_that_fits_in_each_part(folder, saved):
    mark = lambda tensors: {name: torch.zeros_like(value) for name, value in tensors.items()}  # noqa: E731
    for part in ("unet", "vae"):
        file = weights(folder, part)
        save_file(mark(load_file(file)), file.with_name(f"{file.stem}.fp16.safetensors"), metadata={"format": "pt"})
    weights(folder, "vae").unlink()
    for dtype, zero in ((torch.float32, False), (torch.float16, True)):
        loaded = load(folder, dtype)
        assert (float(loaded.components["unet"].get_parameter("conv_in.weight").abs().sum()) == 0) is zero
        assert float(loaded._vae.quant_conv.weight.abs().sum()) == 0


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_shards_are_read_and_a_missing_one_is_named(folder, variant):
    file = weights(folder, "unet")
    tensors, suffix = load_file(file), "" if variant is None else f".{variant}"
    file.unlink()
    names = [f"{file.stem}{suffix}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    halves = [dict(list(tensors.items())[i::2]) for i in (0, 1)]
    for name, half in zip(names, halves, strict=True):
        save_file(half, file.with_name(name), metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {k: n for n, half in zip(names, halves, strict=True) for k in half}}
    file.with_name(f"{file.stem}.safetensors.index{suffix}.json").write_text(json.dumps(index))
    assert load(folder).family == "custom"
    file.with_name(names[1]).unlink()
    refused(folder, names[1])


@pytest.mark.parametrize(("channels", "kind"), [(9, "inpainting"), (8, "instruct-pix2pix"), (7, "upscaler"), (6, "6")])
def test_a_unet_with_more_input_is_named(folder, channels, kind):
    def widen(tensors):
        first = tensors["conv_in.weight"]
        more = torch.zeros(first.shape[0], channels - 4, *first.shape[2:])
        return {**tensors, "conv_in.weight": torch.cat([first, more], 1)}

    rewrite(weights(folder, "unet"), widen)
    edit(folder / "unet" / "config.json", in_channels=channels)
    refused(folder, f"{channels} channels", kind)


def _text(name, content):
    return lambda folder: (folder / name).write_text(content)


def _gone(name):
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def _changed(name, **values):
    return lambda folder: edit(folder / name, **values)


def _cut(part):
    def cut(folder):
        file = weights(folder, part)
        file.write_bytes(file.read_bytes()[:-100])

    return cut


def _weights(part, change):
    return lambda folder: rewrite(weights(folder, part), change)


def _pickled(folder):
    file = weights(folder, "unet")
    file.rename(file.with_suffix(".bin"))


def _first(tensors, value):
    name = min(tensors)
    return {**tensors, name: value(tensors[name])}


BROKEN = {
    "index gone": (_gone("model_index.json"), "model_index.json"),
    "index no json": (_text("model_index.json", "{"), "model_index.json"),
    "index a list": (_text("model_index.json", "[]"), "model_index.json"),
    "index deep": (_text("model_index.json", "[" * 100_000), "model_index.json"),
    "other pipeline": (_changed("model_index.json", _class_name="StableDiffusionXLPipeline"), "XL"),
    "odd unet": (_changed("model_index.json", unet=["diffusers", "FluxTransformer2DModel"]), "unet"),
    "odd vae": (_changed("model_index.json", vae=["diffusers", "AutoencoderTiny"]), "vae"),
    "odd tokenizer": (_changed("model_index.json", tokenizer=["os", "system"]), "tokenizer"),
    "unet gone": (_gone("unet"), "unet"),
    "vae config gone": (_gone("vae/config.json"), "config.json"),
    "unet config no json": (_text("unet/config.json", "<html>"), "config.json"),
    "unet config a text": (_text("text_encoder/config.json", '"x"'), "config.json"),
    "unet config empty": (_text("unet/config.json", "{}"), "unet"),
    "text config empty": (_text("text_encoder/config.json", "{}"), "text_encoder"),
    "vae config empty": (_text("vae/config.json", "{}"), "vae"),
    "no groups": (_changed("unet/config.json", norm_num_groups=0), "unet"),
    "negative channels": (_changed("unet/config.json", block_out_channels=[-32, 64, 64, 64]), "unet"),
    "odd list": (_changed("unet/config.json", block_out_channels="many"), "unet"),
    "many layers": (_changed("text_encoder/config.json", num_hidden_layers=10**9), "num_hidden_layers"),
    "huge width": (_changed("unet/config.json", cross_attention_dim=10**12), "cross_attention_dim"),
    "huge latents": (_changed("unet/config.json", sample_size=10**9), "sample_size"),
    "no latents": (_changed("unet/config.json", sample_size=None), "sample_size"),
    "NaN": (_changed("vae/config.json", scaling_factor=float("nan")), "scaling_factor"),
    "no scale": (_changed("vae/config.json", scaling_factor=0), "scaling_factor"),
    "shifted": (_changed("vae/config.json", shift_factor=0.1), "shift"),
    "fewer layers": (_changed("text_encoder/config.json", num_hidden_layers=1), "no place"),
    "guided": (_changed("unet/config.json", num_class_embeds=10), "unet"),
    "other width": (_changed("unet/config.json", cross_attention_dim=64), "unet"),
    "unet cut off": (_cut("unet"), "unet"),
    "vae empty": (lambda f: weights(f, "vae").write_bytes(b""), "vae"),
    "pickle": (_pickled, "can run code"),
    "weights NaN": (_weights("unet", lambda t: _first(t, lambda v: v * torch.nan)), "NaN"),
    "weights int8": (_weights("unet", lambda t: {k: v.to(torch.int8) for k, v in t.items()}), "I8"),
    "weights misshapen": (_weights("vae", lambda t: _first(t, lambda v: v[:1])), "vae"),
    "tokenizer gone": (_gone("tokenizer"), "tokenizer"),
    "scheduler gone": (_gone("scheduler"), "scheduler_config.json"),
    "scheduler no json": (_text("scheduler/scheduler_config.json", "{}}"), "scheduler_config.json"),
    "scheduler unknown": (settings(_class_name="MagicScheduler"), "MagicScheduler"),
    "scheduler flow": (settings(_class_name="FlowMatchEulerDiscreteScheduler"), "FlowMatch"),
    "scheduler EDM": (settings(_class_name="EDMEulerScheduler"), "EDM"),
    "scheduler flow sigmas": (settings(_class_name="UniPCMultistepScheduler", use_flow_sigmas=True), "flow"),
    "betas unknown": (settings(beta_schedule="spiral"), "spiral"),
    "betas too large": (settings(beta_start=0.5, beta_end=3.0), "schedule"),
    "betas text": (settings(beta_end="much"), "schedule"),
    "no steps": (settings(num_train_timesteps=0), "num_train_timesteps"),
    "steps text": (settings(num_train_timesteps="x"), "num_train_timesteps"),
    "predicts sample": (settings(prediction_type="sample"), "sample"),
    "predicts a list": (settings(prediction_type=[1]), "predicts"),
    "zero SNR epsilon": (settings(rescale_betas_zero_snr=True), "zero terminal SNR"),
}


@pytest.mark.parametrize("case", list(BROKEN))
def test_a_broken_folder_is_one_sentence_that_names_it(folder, case):
    damage, word = BROKEN[case]
    damage(folder)
    refused(folder, word)


def test_broken_tokenizers_are_not_read_as_empty_ones(folder):
    for name in ("vocab.json", "tokenizer.json"):
        if (folder / "tokenizer" / name).exists():
            (folder / "tokenizer" / name).write_text("{}")
    refused(folder, "tokenizer")


def test_eight_bit_floats_are_read_as_their_values(folder, saved):
    rewrite(weights(folder, "unet"), lambda t: {k: v.to(torch.float8_e4m3fn) for k, v in t.items()})
    loaded = load(folder).components["unet"].get_parameter("conv_in.weight")
    exact = load_file(weights(saved, "unet"))["conv_in.weight"]
    torch.testing.assert_close(loaded.data, exact.to(torch.float8_e4m3fn).float())


def test_zero_terminal_snr_with_v_is_read_and_finite(folder):
    from owf.core.model.diffusion.batch import Batching
    from owf.core.model.diffusion.sample import Sampling, generate

    settings(prediction_type="v_prediction", rescale_betas_zero_snr=True)(folder)
    loaded = load(folder)
    assert loaded.schedule.prediction_type == "v_prediction"
    assert float(loaded.schedule.signal[-1]) == 0
    _, latents = generate(loaded, ["a cat"], [0], Sampling(3, 2.0), Batching(4))
    assert latents.isfinite().all()


def test_paths_that_no_library_takes_are_said(tmp_path):
    for name, word in (("x\udcff", "UTF-8"), ("x\0y", "NUL")):
        with pytest.raises(UsageError, match=word):
            choose_base(str(tmp_path / name), None)


def test_a_home_that_is_not_there_is_a_sentence(monkeypatch):
    def nobody(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", nobody)
    monkeypatch.setattr("os.path.expanduser", lambda path: str(path))
    with pytest.raises(UsageError, match="home"):
        choose_base("~/model", None)


def test_pickles_are_told_from_safetensors_in_capitals(tmp_path):
    (tmp_path / "x.SAFETENSORS").write_bytes(b"junk")
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "x.SAFETENSORS")
    assert "can run code" not in str(caught.value)
    assert "safetensors file" in str(caught.value)
    assert base.CONFIGS.is_dir()
    (tmp_path / "x.ckpt").write_bytes(b"\x80\x04junk")
    refused(tmp_path / "x.ckpt", "can run code")


@pytest.mark.parametrize("kind", list(NO_FILES))
@pytest.mark.parametrize("name", ["x.safetensors", "x.ckpt", "x.unknown", "x"])
def test_a_base_that_is_no_file_is_one_sentence(tmp_path, name, kind):
    put(kind, tmp_path / name)
    with in_time():
        refused(tmp_path / name)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json",
        "text_encoder/config.json",
        "text_encoder/generation_config.json",
        "text_encoder/adapter_config.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/special_tokens_map.json",
        "tokenizer/added_tokens.json",
        "tokenizer/chat_template.jinja",
    ],
)
def test_a_pipe_in_a_folder_is_not_waited_for(folder, name, kind):
    put(kind, folder / name)
    with in_time():
        refused(folder, name.rsplit("/", 1)[-1], "no file")


def test_a_tokenizer_that_is_a_device_is_refused_through_a_link_to_its_folder(folder, tmp_path):
    put("device", (folder / "tokenizer").rename(tmp_path / "elsewhere") / "added_tokens.json")
    (folder / "tokenizer").symlink_to(tmp_path / "elsewhere")
    with in_time():
        refused(folder, "added_tokens.json")


def in_capitals(file):
    return file.rename(file.with_suffix(file.suffix.upper()))


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_endings_are_read_in_any_case(folder, variant):
    for part in WEIGHTS:
        file = weights(folder, part)
        in_capitals(file.rename(file.with_name(f"{file.stem}{variant}{file.suffix}")))
    assert load(folder).family == "custom"


@pytest.mark.parametrize("kept", [0, 1])
def test_a_file_that_is_called_as_the_library_asks_comes_first(folder, kept):
    file = weights(folder, "unet")
    shutil.copy(file, file.with_suffix(".SAFETENSORS"))
    files = [file, file.with_suffix(".SAFETENSORS")]
    files[1 - kept].write_bytes(b"junk")
    if kept == 0:
        assert load(folder).family == "custom"
    else:
        refused(folder, file.name)


def test_shards_are_read_in_any_case(folder):
    file = weights(folder, "unet")
    tensors, names = load_file(file), [f"{file.stem}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    file.unlink()
    halves = [dict(list(tensors.items())[i::2]) for i in (0, 1)]
    for name, half in zip(names, halves, strict=True):
        save_file(half, file.with_name(name), metadata={"format": "pt"})
        in_capitals(file.with_name(name))
    index = {"metadata": {}, "weight_map": {k: n for n, half in zip(names, halves, strict=True) for k in half}}
    file.with_name(f"{file.stem}.safetensors.index.json").write_text(json.dumps(index))
    assert load(folder).family == "custom"


@pytest.mark.parametrize("name", families.shipped())
def test_a_base_that_ships_is_the_usual_one_of_its_family_and_known_by_its_sizes(name):
    shipped = families.shipped()[name]
    assert choose_base(None, name) == BaseChoice(str(shipped.base), "folder")
    loaded = load_base(choose_base(str(shipped.base), None), CPU, torch.float32, offline=True)
    assert (loaded.family, loaded.name) == (name, families.get(name).title)
    assert loaded.resolution == families.get(name).resolution


@pytest.mark.parametrize("base", ["", " ", "\t\n"])
def test_an_empty_name_is_not_the_folder_that_one_is_in(folder, monkeypatch, base):
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match="The base is empty"):
        choose_base(base, None)
    (folder / "settings.toml").write_text(f"[bases]\nsd15 = {json.dumps(base)}\n")
    monkeypatch.setenv("OWF_CONFIG", str(folder / "settings.toml"))
    with pytest.raises(UsageError, match=r"settings\.toml, sd15 = is empty"):
        choose_base(None, "sd15")
    assert choose_base(".", None) == BaseChoice(".", "folder")


@pytest.mark.parametrize("base", ["https://huggingface.co/a/b", "http:/x", "hf://a/b", "file:///a/b.safetensors"])
def test_addresses_are_called_so(base):
    with pytest.raises(UsageError, match="is an address"):
        choose_base(base, None)


@pytest.mark.parametrize(
    "base",
    [
        "C:\\x",
        "C:/x",
        "a\\b",
        "a/",
        "a/b/c",
        "a//b",
        "a/b ",
        " a/b",
        "a b/c",
        "a/b@main",
        "-x/y",
        "é/ü",
        "sd15",
        "~nobody-x/y",
    ],
)
def test_what_no_repository_is_called_is_no_offer_to_fetch_it(base):
    with pytest.raises(UsageError, match="no such file or folder"):
        choose_base(base, None)


@pytest.mark.parametrize("base", ["owner/name", "stable-diffusion-v1-5/stable-diffusion-v1-5", "a_b/C.d-3"])
def test_ids_of_repositories_are_the_hubs(base):
    assert choose_base(base, None) == BaseChoice(base, "hub")


@pytest.mark.parametrize("ending", ["lora_A.weight", "diff", "lokr_w1", "oft_blocks"])
def test_a_lora_given_as_a_base_is_named(ending, tmp_path):
    for layer in ("diffusion_model.layers.0.attention.qkv", "lora_unet_mid_block_resnets_0_conv1"):
        save_file({f"{layer}.{ending}": torch.zeros(4, 4)}, tmp_path / "mine.safetensors")
        refused(tmp_path / "mine.safetensors", "a LoRA: name it as one, not as the base")


def test_a_peft_folder_given_as_a_base_is_named(tmp_path):
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text("{}")
    refused(tmp_path / "lora", "a LoRA of PEFT: name it as one, not as the base")


def test_a_part_of_a_model_given_as_a_base_says_which_folder_to_name(folder):
    for part in WEIGHTS:
        for given in (folder / part, weights(folder, part)):
            refused(given, f"It is part of the model in {folder}: name that folder.")
        with pytest.raises(UsageError, match=f"in {folder}: name that folder"):
            blueprint(BaseChoice(str(folder / part), "folder"))
    (folder / "model_index.json").unlink()
    refused(folder / "unet", "one part of a model: name the folder that holds all of them")


def test_what_is_no_base_is_told_what_a_base_is_of_every_family(tmp_path):
    (tmp_path / "folder").mkdir()
    save_file({"weight": torch.zeros(3)}, tmp_path / "any.safetensors")
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(3, 3)}, tmp_path / "lora.safetensors")
    titles = {pipeline.title for pipeline in families.pipelines()} - {"Stable Diffusion 1 and 2"}
    for name in ("folder", "any.safetensors", "lora.safetensors"):
        refused(tmp_path / name, *titles, "a checkpoint of Stable Diffusion 1 or Stable Diffusion XL in one file")
