"""The tokenizers, language models and VAE of the Qwens in small, which several flows read and draw with."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import _disable_current_modes

SIDE = 64
"""Side of the pictures in pixels: 4 by 4 tokens."""
_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""As Qwen3's for one message of a user: without thinking, an empty thought stands before the answer."""


def qwen_tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2TokenizerFast  # pyright: ignore[reportAttributeAccessIssue]

    tokens = sorted(ByteLevel.alphabet())
    tokenizer = Qwen2TokenizerFast(vocab={token: number for number, token in enumerate(tokens)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template, tokenizer.model_max_length = _CHAT, 512
    return tokenizer


def t5_tokenizer() -> Any:
    """Return one of T5, which some that read with a Qwen ask too."""
    from transformers import T5TokenizerFast  # pyright: ignore[reportAttributeAccessIssue]

    pieces = ["<pad>", "</s>", "<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz,.0123456789"]
    return T5TokenizerFast(
        vocab=[(piece, -float(i > 2)) for i, piece in enumerate(pieces)], extra_ids=0, model_max_length=512
    )


def qwen(kind: str, vocabulary: int, layers: int, **more: Any) -> Any:
    """Return an untrained Qwen3 of transformers' class `kind`, with `more` settings than those that are small here."""
    import transformers

    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = transformers.Qwen3Config(
        **{**small, "head_dim": 16, **more},
        vocab_size=vocabulary,
        num_hidden_layers=layers,
        tie_word_embeddings=True,
    )
    return getattr(transformers, kind)(config).eval()


_WORDS = "the image by detailing color shape size texture quantity text spatial relationships of objects and background"
_TEMPLATE = ("system", "user", "assistant", "Describe", *(f" {word}" for word in _WORDS.split()))
"""Words of the template of Qwen-Image, which are a token each for a Qwen: its beginning is 34 of them."""


def template_tokenizer() -> Any:
    from tokenizers import AddedToken

    tokenizer = qwen_tokenizer()
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in _TEMPLATE])
    return tokenizer


def qwen_vl(kind: str, tokenizer: Any, layers: int, **more: Any) -> Any:
    """Return a Qwen-VL: what reads, of `layers` layers and with `more` settings, and what sees, which nobody asks."""
    import transformers

    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "bos_token_id": None,
        "eos_token_id": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [4, 2, 2]},
        **more,
    }
    seeing = {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "patch_size": 4}
    own = {
        "Qwen3VLModel": {"num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
        "Qwen2_5_VLForConditionalGeneration": {"fullatt_block_indexes": [0]},
    }
    seeing |= {**own[kind], "out_hidden_size": text["hidden_size"]}
    model = getattr(transformers, kind)
    return model(model.config_class(text_config=text, vision_config=seeing)).eval()


def known_class(name: str) -> Any:
    """Return a class of diffusers'; skip the test where its release has none of that name."""
    import diffusers

    return getattr(diffusers, name, None) or pytest.skip("this diffusers does not know it")


def qwen_autoencoder() -> Any:
    vae = known_class("AutoencoderKLQwenImage")(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2, 2, 2],
        num_res_blocks=1,
        latents_mean=[0.3, -0.2, 0.1, -0.4],
        latents_std=[0.5, 1.5, 0.8, 1.2],
    )
    vae.register_to_config(sample_size=SIDE)  # published ones say no size
    return vae


def flow_scheduler(**settings: Any) -> Any:
    """Return a scheduler of real numbers even where all else is fake: it looks at them."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    with _disable_current_modes(), torch.device("cpu"):
        return FlowMatchEulerDiscreteScheduler(**settings)


def dynamic_scheduler(**settings: Any) -> Any:
    """Return one that shifts by size."""
    return flow_scheduler(use_dynamic_shifting=True, base_image_seq_len=8, max_image_seq_len=64, **settings)


def evaluating(**parts: Any) -> SimpleNamespace:
    """Return the parts, with nothing of them to be trained."""
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return SimpleNamespace(**parts)
