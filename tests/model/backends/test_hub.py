"""Which files of a hub repository are fetched: those of one variant of each part, and nothing else."""

import torch
from owf.core import families
from owf.core.model.backends.files.hub import _wanted

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


def _names():
    """Return the files of a repository as Stable Diffusion XL's is laid out."""
    for part in PARTS:
        stem = "model" if part.startswith("text") else "diffusion_pytorch_model"
        yield from (f"{part}/config.json", f"{part}/{stem}.safetensors", f"{part}/{stem}.fp16.safetensors")
        yield from (f"{part}/{stem}.onnx", f"{part}/{stem}.bin")
    yield from ("model_index.json", "sd_xl_base_1.0.safetensors", "vae_1_0/diffusion_pytorch_model.safetensors")
    yield from ("scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer_2/vocab.json")


def wanted(dtype):
    pipeline = families.get("sdxl").pipeline
    assert pipeline is not None
    return set(_wanted(list(_names()), "someone/xl", pipeline, dtype))


SETTINGS = {
    "model_index.json",
    "scheduler/*.json",
    "tokenizer/*",
    "tokenizer_2/*",
    *(f"{p}/config.json" for p in PARTS),
}


def test_both_encoders_and_both_tokenizers_are_fetched():
    stems = {part: "model" if part.startswith("text") else "diffusion_pytorch_model" for part in PARTS}
    assert wanted(torch.float32) == SETTINGS | {f"{part}/{stem}.safetensors" for part, stem in stems.items()}


def test_in_half_precision_the_vae_is_fetched_as_it_is_run():
    weights = wanted(torch.float16) - SETTINGS
    assert weights == {
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
        "text_encoder_2/model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }


def test_a_modular_base_is_fetched_with_its_own_index_and_all_that_reads_prompts():
    pipeline = families.get("anima").pipeline
    assert pipeline is not None
    stems = {
        part.name: "model" if part.library == "transformers" else "diffusion_pytorch_model"
        for part in pipeline.weighted
    }
    names = [f"{part}/{name}" for part, stem in stems.items() for name in ("config.json", f"{stem}.safetensors")]
    others = ["modular_model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "example.png"]
    found = set(_wanted([*names, *others], "someone/anima", pipeline, torch.float32))
    assert found == {*names, "modular_model_index.json", "scheduler/*.json", "tokenizer/*", "t5_tokenizer/*"}
    assert {"text_conditioner", "text_encoder"} <= stems.keys()
