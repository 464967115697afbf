"""The random models of `tiny_flows` in the sizes that ComfyUI knows the transformers by.

It tells transformers by the shapes of their weights: heads are as wide, and latents have as many channels, as those of
the true ones; everything else is small. Prompts are cut by the tokenizers that ComfyUI ships, so that what its text
nodes make of a prompt can be compared with what `owf-audit` does.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from original_names import names_in_a_file
from part_files import save, vae_file
from safetensors.torch import load_file, save_file
from tiny_flows import PARTS, autoencoder, evaluating, normalising_autoencoder, save_folder
from tiny_qwen import SIDE, known_class, qwen, qwen_vl

_VOCABULARY = {"t5": 32128, "qwen": 151936, "qwen25": 152064}
"""Tokens that ComfyUI's text encoders have embeddings of, some of them none's."""
_QWEN = {"head_dim": 128, "num_attention_heads": 1, "rope_theta": 1e6}
"""What of a Qwen3's settings ComfyUI takes for granted."""
_VL = {"num_attention_heads": 1, "head_dim": 128}
"""The same of what reads in a Qwen-VL."""
_AS_WHOLE = 1.15
"""Logarithm of FLUX.1's shift of pictures of 1,024 pixels, which ComfyUI has for those of every size, and of Krea 2's
and Qwen-Image's there."""
_NAMED = {"qwen_image": "qwen_image-lightning", "z_image": "z_image-de-turbo"}
"""Names of folders that say which base of a family it is: one that is drawn with unguided, one of ComfyUI's times."""


def require_small(comfy: Path, family: str = "z_image") -> None:
    """Skip the test where a ComfyUI does not know a family, or takes any FLUX.1 to be of the true width.

    It does so before Z-Image and FLUX.2.
    """
    known = {"krea2": "Krea 2", "qwen_image": "Qwen-Image", "anima": "Anima"}
    if not (comfy / "comfy" / "text_encoders" / "z_image.py").exists():
        pytest.skip("this ComfyUI has no transformers of other than the true width")
    if family in known and not (comfy / "comfy" / "text_encoders" / f"{family}.py").exists():
        pytest.skip(f"this ComfyUI has no {known[family]}")


def saved(family: str, comfy: Path, folder: Path) -> tuple[Path, Path]:
    """Return a model of a family, or a Schnell, as a diffusers folder, and its transformer as a file of ComfyUI's."""
    torch.manual_seed(0)
    vocabularies = comfy / "comfy" / "text_encoders"
    parts = _MADE[family](vocabularies)
    pipeline = "flux" if family == "schnell" else family
    base, file = save_folder(pipeline, parts, folder / _NAMED.get(family, family)), folder / f"{family}.safetensors"
    save_file(names_in_a_file(parts), file)
    if family in ("krea2", "qwen_image", "anima"):  # ComfyUI reads their VAE by itself
        save(vae_file(parts.vae), vae_of(file))
    return base, file


def vae_of(transformer: Path) -> Path:
    """Return where the VAE of a transformer's file lies, where it lies in a file."""
    return transformer.with_name(f"{transformer.stem}-vae.safetensors")


def lora(transformer: Path, file: Path) -> Path:
    """Write a random LoRA for the blocks of a transformer's file, in ComfyUI's names, and return it.

    Those of Anima's text conditioner are among them.
    """
    generator, tensors = torch.Generator().manual_seed(0), {}
    for name, weight in load_file(transformer).items():
        block = name.removeprefix("llm_adapter.")
        if weight.ndim == 2 and name.endswith(".weight") and block[block.find(".") + 1].isdigit():
            for side, shape in {"A": (4, weight.shape[1]), "B": (weight.shape[0], 4)}.items():
                factor = torch.randn(*shape, generator=generator) * 0.1
                tensors[f"diffusion_model.{name.removesuffix('weight')}lora_{side}.weight"] = factor
    save_file(tensors, file)
    return file


def _schnell(vocabularies: Path) -> SimpleNamespace:
    """Return a FLUX.1 that is told no guidance, and has no shift."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    return _with(_flux(vocabularies, guidance=False), scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0))


def _flux(vocabularies: Path, guidance: bool = True) -> SimpleNamespace:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel

    parts = PARTS["flux"]()
    transformer = FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=128,
        num_attention_heads=1,
        joint_attention_dim=32,
        pooled_projection_dim=24,
        guidance_embeds=guidance,
    )
    small = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    t5 = T5Config(**small, vocab_size=_VOCABULARY["t5"], feed_forward_proj="gated-gelu")
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=_AS_WHOLE, max_shift=_AS_WHOLE)
    return _with(
        parts,
        transformer=transformer,
        vae=autoencoder(16),
        text_encoder_2=T5EncoderModel(t5),
        tokenizer_2=_t5_tokenizer(vocabularies),
        scheduler=scheduler,
    )


def _z_image(vocabularies: Path) -> SimpleNamespace:
    from diffusers import ZImageTransformer2DModel

    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[4, 4, 8],
        axes_lens=[1024, 64, 64],
    )
    for filling in (transformer.x_pad_token, transformer.cap_pad_token):  # diffusers leaves them to chance
        torch.nn.init.normal_(filling)
    return _with(
        PARTS["z_image"](),
        transformer=transformer,
        vae=autoencoder(16),
        text_encoder=qwen("Qwen3Model", _VOCABULARY["qwen"], 3, **_QWEN),
        tokenizer=_qwen_tokenizer(vocabularies),
    )


def _klein(vocabularies: Path) -> SimpleNamespace:
    from diffusers import Flux2Transformer2DModel

    transformer = Flux2Transformer2DModel(
        in_channels=128,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=128,
        num_attention_heads=1,
        joint_attention_dim=96,
        guidance_embeds=False,
    )
    return _with(
        PARTS["flux2_klein"](distilled=True),  # ComfyUI is not told, and takes the one that most people have
        transformer=transformer,
        vae=normalising_autoencoder(32),
        text_encoder=qwen("Qwen3ForCausalLM", _VOCABULARY["qwen"], 28, **_QWEN),
        tokenizer=_qwen_tokenizer(vocabularies),
    )


def _krea2(vocabularies: Path) -> SimpleNamespace:
    transformer = known_class("Krea2Transformer2DModel")(
        num_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=768,  # as ComfyUI has them for such widths
        text_hidden_dim=40,
        text_intermediate_size=128,
    )
    for name, weight in transformer.named_parameters():  # norms and tables begin at zero
        if weight.ndim == 1 or "table" in name:
            weight.data.normal_(std=0.3)
    words = {"vocab_size": _VOCABULARY["qwen"], "hidden_size": 40}
    return _on_qwen_vae("krea2", vocabularies, transformer, qwen_vl("Qwen3VLModel", (), 36, **_places(5e6), **words))


def _qwen_image(vocabularies: Path) -> SimpleNamespace:
    transformer = known_class("QwenImageTransformer2DModel")(
        num_layers=2, num_attention_heads=1, joint_attention_dim=128
    )
    words = {"vocab_size": _VOCABULARY["qwen25"], "hidden_size": 128, "rms_norm_eps": 1e-6}  # the published one's
    encoder = qwen_vl("Qwen2_5_VLForConditionalGeneration", (), 3, **_places(1e6), **words)
    return _on_qwen_vae("qwen_image", vocabularies, transformer, encoder)


def _anima(vocabularies: Path) -> SimpleNamespace:
    from diffusers import FlowMatchEulerDiscreteScheduler

    transformer = known_class("CosmosTransformer3DModel")(
        in_channels=16,
        out_channels=16,
        num_attention_heads=2,
        attention_head_dim=24,
        num_layers=2,
        text_embed_dim=32,
        adaln_lora_dim=8,
        rope_scale=(1.0, 4.0, 4.0),
        extra_pos_embed_type=None,
    )
    conditioner = known_class("AnimaTextConditioner")(
        source_dim=32,
        target_dim=32,
        model_dim=32,
        num_layers=2,
        num_attention_heads=2,
        target_vocab_size=_VOCABULARY["t5"],
    )
    for weight in (*transformer.parameters(), *conditioner.parameters()):
        if weight.ndim == 1:  # norms are 1 and biases 0 else
            weight.data.normal_(1.0, 0.3)
    encoder = qwen("Qwen3Model", _VOCABULARY["qwen"], 3, **_QWEN)
    return _with(
        _on_qwen_vae("anima", vocabularies, transformer, encoder),
        text_conditioner=conditioner,
        t5_tokenizer=_t5_tokenizer(vocabularies),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def _places(theta: float) -> dict[str, Any]:
    """Return settings of what reads in a Qwen-VL that turns places into angles; without pictures all parts are one."""
    rope = {"rope_type": "default", "rope_theta": theta, "mrope_section": [16, 24, 24]}
    return {**_VL, "rope_parameters": rope}


def _on_qwen_vae(family: str, vocabularies: Path, transformer: Any, text_encoder: Any) -> SimpleNamespace:
    from diffusers import FlowMatchEulerDiscreteScheduler

    vae = known_class("AutoencoderKLQwenImage")(base_dim=8)
    vae.register_to_config(sample_size=SIDE)  # published ones say no size
    return _with(
        PARTS[family](),
        transformer=transformer,
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=_qwen_tokenizer(vocabularies),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=_AS_WHOLE, max_shift=_AS_WHOLE),
    )


def _t5_tokenizer(vocabularies: Path) -> Any:
    from transformers import T5TokenizerFast  # pyright: ignore[reportAttributeAccessIssue]

    return T5TokenizerFast.from_pretrained(vocabularies / "t5_tokenizer")


def _qwen_tokenizer(vocabularies: Path) -> Any:
    from transformers import Qwen2TokenizerFast  # pyright: ignore[reportAttributeAccessIssue]

    return Qwen2TokenizerFast.from_pretrained(vocabularies / "qwen25_tokenizer")


def _with(parts: SimpleNamespace, **others: Any) -> SimpleNamespace:
    return evaluating(**{**vars(parts), **others})


_MADE = {
    "flux": _flux,
    "schnell": _schnell,
    "z_image": _z_image,
    "flux2_klein": _klein,
    "krea2": _krea2,
    "qwen_image": _qwen_image,
    "anima": _anima,
}
