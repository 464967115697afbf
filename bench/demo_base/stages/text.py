"""The demo base's text side: CLIP's text model, small, and the embeddings of every caption."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..world.world import DEPTHS, all_scenes, caption
from .tokenizer import LENGTH

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer

WIDTH = 48
"""Of the text encoder; the family's `settings` know the base by it."""
DEPTH_SHARES = (0.15, 0.30, 0.05, 0.35, 0.10, 0.05)
"""How often a picture gets a caption of each of DEPTHS."""
EMPTY_SHARE = 0.10
"""How often the caption is empty, so that classifier-free guidance works."""


def build_text_encoder() -> "CLIPTextModel":
    """Return an untrained CLIPTextModel with the vocabulary and the 77 positions of Stable Diffusion 1."""
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(2)
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        hidden_act="quick_gelu",
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    return CLIPTextModel(config)


def all_captions() -> list[str]:
    """Return every caption of the demo world; the empty one is last."""
    return [*dict.fromkeys(caption(scene, depth) for depth in DEPTHS for scene in all_scenes()), ""]


def load_tokenizer(folder: Path) -> "CLIPTokenizer":
    """Return the CLIP tokenizer of a folder, without a network."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def token_ids(tokenizer: "CLIPTokenizer", captions: list[str]) -> torch.Tensor:
    """Return (N, 77) token ids, padded as Stable Diffusion pads."""
    batch = tokenizer(captions, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")
    return batch.input_ids
