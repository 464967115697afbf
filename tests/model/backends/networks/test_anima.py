"""What Anima alone has: a conditioner between text encoder and transformer, two tokenizers, a modular pipeline."""

import json

import pytest
import torch
from original_names import names_in_a_file
from owf.core.adapter import applied, read_adapter
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.backends.networks.anima import Anima
from owf.core.model.base import choose_base, load_base
from owf.core.model.blueprint import blueprint
from owf.core.model.diffusion.denoiser import joined
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.memory import AS_LOADED, Keeping
from owf.core.model.stored import dtype_of_base
from safetensors.torch import save_file
from tiny_anima import anima_parts
from tiny_flows import pipeline_of, save_folder
from tiny_qwen import t5_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own

CPU = torch.device("cpu")
PROMPTS = ["a photo of a bag", "a coat"]
RANK = 4


@pytest.fixture(scope="module")
def denoiser():
    return DiffusersDenoiser(anima_parts(), "tiny", "anima")


@pytest.fixture
def folder(tmp_path):
    return save_folder("anima", anima_parts(), tmp_path / "base")


def _loaded(path, dtype=torch.float32, keeping=AS_LOADED):
    return load_base(choose_base(str(path), None), CPU, dtype, offline=True, keeping=keeping)


def _answers(denoiser):
    cond = denoiser.encode_guided(PROMPTS, ["", "blurry"])
    x = torch.stack([gaussian(denoiser.latent_shape, 0, name) for name in "wxyz"]).to(denoiser.dtype)
    return cond.context, denoiser.predict(x, torch.tensor([300, 700, 5, 999]), cond)


def test_no_prompt_is_the_empty_one_as_in_the_pipeline(denoiser):
    """The text encoder is given nothing then, and the conditioner the one token with which T5 ends."""
    pipeline = pipeline_of("anima", anima_parts())
    cond = denoiser.encode_guided(["a bag"], [""])
    for row, prompt in zip(cond.context, ("a bag", ""), strict=True):
        torch.testing.assert_close(row[None], pipeline.context(prompt), atol=1e-5, rtol=1e-5)
    assert cond.mask is not None and cond.mask.sum(1).tolist() == [len(t5_tokenizer()("a bag").input_ids), 1]
    assert torch.equal(cond.context[~cond.mask], torch.zeros_like(cond.context[~cond.mask]))


def test_prompts_are_filled_up_to_as_many_tokens_in_every_company(denoiser):
    alone = [denoiser.encode_text([prompt]) for prompt in (*PROMPTS, "", "a " * 900)]
    together = denoiser.encode_text([*PROMPTS, "", "a " * 900])
    assert together.context.shape[1] == 512
    torch.testing.assert_close(joined(alone).context, together.context, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(alone[0].mean(), together.rows([0]).mean(), atol=1e-5, rtol=1e-5)


def test_times_have_the_one_shift_of_its_scheduler(denoiser):
    half = denoiser.schedule.steps // 2 - 1
    assert denoiser.schedule.steps == 1000
    assert float(denoiser.schedule.sigma[half]) == pytest.approx(3 * 0.5 / (1 + 2 * 0.5))
    parts = anima_parts()
    parts.scheduler.register_to_config(use_dynamic_shifting=True)
    with pytest.raises(UsageError, match="one shift for all sizes"):
        DiffusersDenoiser(parts, "tiny", "anima")


def test_a_size_that_no_settings_say_is_that_of_the_architecture():
    parts = anima_parts()
    parts.vae.register_to_config(sample_size=None)
    denoiser = DiffusersDenoiser(parts, "tiny", "anima")
    assert (denoiser.resolution, denoiser.latent_shape) == (1024, (4, 128, 128))


def test_what_reads_prompts_is_in_the_digest():
    changed = anima_parts()
    changed.text_conditioner.norm.weight.data[0] += 1
    words = anima_parts()
    words.t5_tokenizer.model_max_length = 77
    found = {DiffusersDenoiser(parts, "tiny", "anima").digest() for parts in (anima_parts(), changed, words)}
    assert len(found) == 3


def test_in_16_bits_all_is_as_diffusers_loads_it(folder):
    from diffusers import AnimaTextConditioner, CosmosTransformer3DModel

    loaded = _loaded(folder, torch.bfloat16)
    kinds = {"transformer": CosmosTransformer3DModel, "text_conditioner": AnimaTextConditioner}
    for name, kind in kinds.items():
        theirs = kind.from_pretrained(folder / name, torch_dtype=torch.bfloat16)
        for part, weight in theirs.state_dict().items():
            found = loaded.components[name].state_dict()[part]
            assert found.dtype == weight.dtype and torch.equal(found, weight), part
        for part, computed in theirs.named_buffers():
            assert torch.equal(loaded.components[name].get_buffer(part), computed), part
    assert torch.isfinite(_answers(loaded)[1]).all()


@pytest.mark.parametrize("offload", ["model", "group"])
def test_a_base_that_waits_elsewhere_answers_the_same(folder, denoiser, offload):
    pytest.importorskip("diffusers.hooks.group_offloading", reason="this release of diffusers cannot offload layers")
    for found, expected in zip(_answers(_loaded(folder, keeping=Keeping(offload))), _answers(denoiser), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


BROKEN = {
    "no conditioner": (lambda folder, index: index.pop("text_conditioner"), "the text_conditioner is None"),
    "another class": (
        lambda folder, index: index.update(transformer=["diffusers", "FluxTransformer2DModel", {}]),
        "FluxTransformer2DModel",
    ),
    "a part without its source": (lambda folder, index: index["vae"].pop(), "the vae is"),
    "another pipeline": (
        lambda folder, index: index.update(_class_name="ZImageModularPipeline"),
        "is a ZImageModularPipeline; audits run on",
    ),
    "a part that lies elsewhere": (lambda folder, index: (folder / "vae").rename(folder / "other"), "another place"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_folders_that_are_not_whole_are_refused(case, folder):
    change, words = BROKEN[case]
    file = folder / "modular_model_index.json"
    index = json.loads(file.read_text())
    change(folder, index)
    file.write_text(json.dumps(index))
    for read in (_loaded, lambda path: blueprint(choose_base(str(path), None))):
        with pytest.raises(UsageError, match=words):
            read(folder)


def test_a_folder_with_both_indices_is_told_by_the_usual_one(folder):
    index = json.loads((folder / "modular_model_index.json").read_text())
    plain = {name: value[:2] if isinstance(value, list) else value for name, value in index.items()}
    (folder / "model_index.json").write_text(json.dumps(plain))
    assert _loaded(folder).family == "anima"
    assert dtype_of_base("auto", torch.device("meta"), choose_base(str(folder), None)) == torch.bfloat16


def _words(count):
    """Return a tokenizer of T5 of so many tokens."""
    tokenizer = t5_tokenizer()
    tokenizer.add_tokens([f"zz{number}zz" for number in range(count - len(tokenizer))])
    return tokenizer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: parts.transformer.register_to_config(in_channels=5), "takes 5 channels"),
        (lambda parts: parts.transformer.register_to_config(out_channels=8), "gives 8"),
        (lambda parts: parts.transformer.register_to_config(patch_size=(1, 1, 1)), "patches"),
        (lambda parts: parts.transformer.register_to_config(text_embed_dim=64), "text conditioner gives 32"),
        (lambda parts: parts.transformer.register_to_config(img_context_dim_in=8), "told of pictures"),
        (lambda parts: parts.transformer.register_to_config(use_crossattn_projection=True), "another text encoder"),
        (lambda parts: parts.transformer.register_to_config(controlnet_block_every_n=7), "ControlNet"),
        (lambda parts: parts.text_conditioner.register_to_config(source_dim=64), "text encoder gives 32"),
        (lambda parts: parts.text_conditioner.register_to_config(min_sequence_length=77), "fills prompts up to 77"),
        (lambda parts: parts.text_conditioner.register_to_config(target_vocab_size=32128), "conditioner has 32,128"),
        (lambda parts: setattr(parts, "t5_tokenizer", _words(99)), "different models"),
        (lambda parts: parts.vae.register_to_config(sample_size=60), "sample_size is 60"),
        (lambda parts: parts.vae.register_to_config(latents_std=[1.0, 1.0, 0.0, 1.0]), "latents_std"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, words):
    parts = anima_parts()
    Anima.require_fit(parts, "base")
    change(parts)
    with pytest.raises(UsageError, match=words):
        Anima.require_fit(parts, "base")


def test_a_file_of_its_ancestor_is_no_anima(folder, tmp_path, monkeypatch):
    """Cosmos-Predict2 has the same layers and another text encoder: no conditioner is put beside them."""
    (tmp_path / "config.toml").write_text(f'[bases]\nanima = "{folder}"\n')
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    tensors = {f"net.{name}": value for name, value in names_in_a_file(anima_parts()).items()}
    tensors["net.pos_embedder.seq"] = torch.arange(64.0)  # as NVIDIA's code leaves it
    save_file(tensors, tmp_path / "anima.safetensors")
    assert _loaded(tmp_path / "anima.safetensors").digest() == _loaded(folder).digest()
    part = {name: value for name, value in tensors.items() if "llm_adapter.blocks.1" not in name}
    save_file(part, tmp_path / "part.safetensors")
    with pytest.raises(UsageError, match=r"text_conditioner/config\.json asks for are not in the file"):
        _loaded(tmp_path / "part.safetensors")
    ancestor = {name: value for name, value in tensors.items() if "llm_adapter" not in name}
    save_file(ancestor, tmp_path / "cosmos.safetensors")
    with pytest.raises(UsageError, match=r"no text conditioner \(llm_adapter\.\): it is of another model"):
        _loaded(tmp_path / "cosmos.safetensors")


TEXT_LAYERS = (
    *(f"blocks.{n}.{kind}_attn.{part}" for n in range(2) for kind in ("self", "cross") for part in
      ("q_proj", "k_proj", "v_proj", "o_proj")),
    *(f"blocks.{n}.mlp.{part}" for n in range(2) for part in (0, 2)),
    "out_proj",
)  # fmt: skip
STEMS = {
    "diffusers": lambda name: f"text_conditioner.{name}",
    "ComfyUI": lambda name: f"diffusion_model.llm_adapter.{name}",
    "the original code": lambda name: f"net.llm_adapter.{name}",
    "kohya": lambda name: f"lora_unet_llm_adapter_{name.replace('.', '_')}",
}


def _lora(denoiser, program, more=()):
    """Return a LoRA of the conditioner in a program's names, and of more layers: stem -> (outputs, inputs)."""
    ends = ("lora_down", "lora_up") if program == "kohya" else ("lora_A", "lora_B")
    conditioner = denoiser.components["text_conditioner"]
    shapes = {STEMS[program](name): tuple(conditioner.get_submodule(name).weight.shape) for name in TEXT_LAYERS}
    generator, tensors = torch.Generator().manual_seed(3), {}
    for stem, (out, inputs) in {**shapes, **dict(more)}.items():
        tensors[f"{stem}.{ends[0]}.weight"] = torch.randn(RANK, inputs, generator=generator) * inputs**-0.5
        tensors[f"{stem}.{ends[1]}.weight"] = torch.randn(out, RANK, generator=generator) * 0.3
    return tensors


@pytest.mark.parametrize("strength", [1.0, 0.7])
@pytest.mark.parametrize("program", ["diffusers", "ComfyUI"])
def test_a_lora_of_both_parts_makes_what_diffusers_makes(denoiser, program, strength, tmp_path):
    stem = {
        "diffusers": "transformer.transformer_blocks.1.attn2.to_k",
        "ComfyUI": "diffusion_model.blocks.1.cross_attn.k_proj",
    }
    save_file(_lora(denoiser, program, {stem[program]: (48, 32)}), tmp_path / "x.safetensors")
    parts = anima_parts()
    pipeline = pipeline_of("anima", parts)
    pipeline.load_lora_weights(str(tmp_path), weight_name="x.safetensors", adapter_name="x")
    pipeline.set_adapters(["x"], [strength])
    expected, before = _answers(DiffusersDenoiser(parts, "with a LoRA", "anima")), _answers(denoiser)
    with applied(denoiser.components, read_adapter(tmp_path / "x.safetensors"), strength) as report:
        assert report.problems == () and report.matched == len(TEXT_LAYERS) + 1
        for found, theirs, base in zip(_answers(denoiser), expected, before, strict=True):
            torch.testing.assert_close(found, theirs, atol=1e-4, rtol=1e-4)
            assert (found - base).abs().max() > 1e-3
    assert all(torch.equal(*pair) for pair in zip(_answers(denoiser), before, strict=True))


@pytest.mark.parametrize("program", STEMS)
def test_every_program_means_the_same_layers(denoiser, program, tmp_path):
    answers = []
    for name in ("ComfyUI", program):
        save_file(_lora(denoiser, name), tmp_path / f"{name}.safetensors")
        with applied(denoiser.components, read_adapter(tmp_path / f"{name}.safetensors")) as report:
            assert report.problems == () and report.matched == len(TEXT_LAYERS)
            answers.append(_answers(denoiser))
    assert all(torch.equal(*pair) for pair in zip(*answers, strict=True))
