"""CLIP's text tower: how like a picture is to words, in the space in which `features` has the picture."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ...foreign import foreign
from .features import HUB_IDS, Fetching, pretrained

TextFeatures = Callable[[Sequence[str]], np.ndarray]
"""Texts -> float32 features (N, D)."""


def load_text_features(fetching: Fetching) -> TextFeatures:
    """Return the text tower that belongs to the feature network clip; raise UsageError, with what to do."""
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    source = HUB_IDS["clip"]
    network = pretrained(CLIPTextModelWithProjection, source, fetching.offline).eval().to(fetching.device)
    with foreign(f"The tokenizer of {source} cannot be loaded"):
        tokenizer = CLIPTokenizer.from_pretrained(source, local_files_only=fetching.offline)

    def features(texts: Sequence[str]) -> np.ndarray:
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt").to(fetching.device)
        with torch.inference_mode():
            return network(**tokens).text_embeds.float().cpu().numpy()

    return features
