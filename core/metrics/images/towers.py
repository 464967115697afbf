"""CLIP and DINO by transformers: weights of a pinned revision, or of a hub id or folder of the user's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import OFF, Setting
from ...foreign import NONE, Advice, foreign
from .hub import HubFiles, hub_folder
from .preparation import IMAGENET_STATS, Embedding, Prepare, preparation

CLIP = HubFiles(
    "openai/clip-vit-base-patch32",
    {"config.json": "", "pytorch_model.bin": "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f"},
    "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
)
"""The network behind CLIP-I in DreamBooth's evaluation (Ruiz et al., 2023)."""
DINO = HubFiles(
    "facebook/dino-vits16", {"config.json": "", "pytorch_model.bin": ""}, "abe3b354cb6a9b6f146096b14a4a9d7eecbcb4bd"
)
"""The network behind DINO there. Its SHA-256 is the hub's own word, which names the file in the hub's cache."""
DINO_V2 = HubFiles(
    "facebook/dinov2-base",
    {
        "config.json": "f7ff4cfa73d2f70647dbf6950541ad25d73082d54c2e7e9bded160c7656b2a70",
        "model.safetensors": "d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
    },
    "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
)
"""DINOv2-base (Oquab et al., 2023), by which PEFT's benchmark of methods measures drift."""
TOWERS = {"clip": CLIP, "dino": DINO}
"""Name of a feature network -> its files."""
_TOKENIZER = ("tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")
"""What reads prompts for it."""

CLIP_STATS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and deviation of the channels of what CLIP was trained on."""


def load_tower(kind: str, source: str, offline: bool) -> tuple[Prepare, nn.Module]:
    """Return CLIP's or DINO's image tower from a hub id or folder; "" is the one that is pinned."""
    from transformers import CLIPVisionModelWithProjection, ViTModel

    place = source if source not in ("", TOWERS[kind].repository) else str(hub_folder(TOWERS[kind], offline))
    if kind == "clip":
        network = pretrained(CLIPVisionModelWithProjection, place, offline)
        prepare = clip_preparation(network.config.image_size)
        return prepare, Embedding(network, lambda outputs: outputs.image_embeds)
    network = pretrained(ViTModel, place, offline, add_pooling_layer=False)
    size = network.config.image_size
    # Caron et al. (2021) evaluate at 224 after resizing to 256.
    prepare = preparation(size * 256 // 224, size, IMAGENET_STATS)
    return prepare, Embedding(network, lambda outputs: outputs.last_hidden_state[:, 0])


def load_clip(offline: bool) -> tuple[Any, Any]:
    """Return CLIP with both towers, and what cuts its texts; raise UsageError, with what to do."""
    from transformers import CLIPModel, CLIPTokenizer

    files = HubFiles(CLIP.repository, {**CLIP.files, **dict.fromkeys(_TOKENIZER, "")}, CLIP.revision)
    folder = hub_folder(files, offline)
    model = pretrained(CLIPModel, str(folder), offline).requires_grad_(False).eval()
    with foreign(f"The tokenizer in {folder} cannot be loaded"):
        return model, CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def embed_texts(model: Any, tokenizer: Any, texts: Sequence[str]) -> torch.Tensor:
    """Return CLIP's features (N, D) of texts, in the space in which its image tower has pictures."""
    tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        pooled = model.text_model(tokens["input_ids"], attention_mask=tokens["attention_mask"]).pooler_output
        return model.text_projection(pooled)


def clip_preparation(size: int) -> Prepare:
    """Return how CLIP wants its pictures, at the size of its image tower."""
    return preparation(size, size, CLIP_STATS)


def pretrained(model: Any, source: str, offline: bool, **settings: bool) -> Any:
    """Return the transformers model of a hub id or folder in float32; raise UsageError, with what to do."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # the text tower's weights are left out on purpose
    fetch_it = Advice("If it is not cached yet, let it be fetched once.", (Setting("offline", OFF),))
    hint = fetch_it if offline and not Path(source).is_dir() else NONE
    try:
        with foreign(f"The feature network {source} cannot be loaded", hint):
            return model.from_pretrained(source, local_files_only=offline, **settings).float()
    finally:
        logging.set_verbosity(verbosity)
