"""What is asked of an architecture: how its prompts are encoded, and its denoiser called."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ....errors import OFF, Setting, UsageError
from ...diffusion.denoiser import Conditioning, Token, classifier_free, joined
from ...diffusion.schedule import Schedule
from ..activations import language_values
from ..parts import scaled, unscaled


class Network(ABC):
    """The parts of one pipeline (see `parts.Parts`), which know of each other here and nowhere else."""

    denoiser: Any
    """What predicts: a diffusers model."""
    device: torch.device
    """Where prompts and sizes go, and what it computes: that of its weights, unless these wait elsewhere."""
    components: Mapping[str, nn.Module]
    """The modules that adapters change, by name; the denoiser is one."""
    tokenizers: tuple[Any, ...]
    """What cuts prompts into tokens."""
    latent_shape: tuple[int, int, int]
    """(C, H, W) of one image's latents."""
    made_for: int
    """Side of the square images that the model was made for, in pixels."""
    resolution: int
    """Side of those that it is asked about."""
    options: str = ""
    """What else its answers depend on, as text; a base's digest has it."""
    told: Mapping[str, str] = MappingProxyType({})
    """What it is told besides prompts and that people set as they draw, such as guidance; rows of a report."""
    told_in_training: Mapping[str, str] = MappingProxyType({})
    """The same in a training, where that is another; metadata of what is trained."""
    vae: Any
    """Settings of the VAE."""
    codes_videos: bool = False
    """Whether its VAE codes videos, of which a picture is one frame: what it takes and gives is (N, C, 1, h, w)."""

    @abstractmethod
    def __init__(self, parts: Any) -> None: ...

    @abstractmethod
    def resize(self, side: int) -> None:
        """Be asked about images of so many pixels from now on, in latents and at times that go with them."""

    @abstractmethod
    def schedule(self) -> Schedule:
        """Return its forward process; raise UsageError for a scheduler that is none of its kind."""

    def scaled(self, mean: torch.Tensor) -> torch.Tensor:
        """Return latents as the denoiser has them from the mean that the VAE's encoder gives."""
        return scaled(self.vae, mean)

    def unscaled(self, latents: torch.Tensor) -> torch.Tensor:
        """Return what the VAE's decoder takes; the inverse of `scaled`."""
        return unscaled(self.vae, latents)

    @classmethod
    @abstractmethod
    def require_fit(cls, parts: Any, path: str) -> None:
        """Raise UsageError where the parts do not make a text-to-image model that can be asked for its predictions."""

    @classmethod
    def settings(cls, parts: Any) -> Mapping[str, object]:
        """Return the settings of the denoiser that families are told apart by; none where all of it are one family."""
        return {}

    @classmethod
    def settings_of_file(cls, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, object]:
        """Return the same of a single file, by the shapes of its weights."""
        return {}

    @abstractmethod
    def embed_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return the conditioning of the prompts, one row each, with gradients."""

    def embed_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
        """Return the rows of the prompts, then those of what guidance leads away from: "" is no prompt at all.

        That is the empty prompt, in its template where prompts have one, unless the model was trained otherwise.
        """
        return self.embed_text([*prompts, *negatives])

    def skip_layers(self, clip_skip: int) -> None:
        """Read prompts at a layer of the text encoder counted from its last, which is 1; to be called before any is.

        Raises UsageError where it has no such layer, or there is no choice.
        """
        raise UsageError(
            "The base reads prompts at the layer that it was trained with; clip skip is a choice of "
            "Stable Diffusion 1 and 2.",
            Setting("clip_skip", OFF),
        )

    @abstractmethod
    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the denoiser's prediction for x_t (N, C, h, w) at timesteps t (N,), with gradients."""

    def forward_in_training(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return what `forward` does, told what it is told in a training."""
        return self.forward(x_t, t, cond)

    def guided(self, with_prompt: torch.Tensor, without: torch.Tensor, scale: float) -> torch.Tensor:
        """Return what guidance of a scale makes of predictions (N, C, h, w) with the prompt and without."""
        return classifier_free(with_prompt, without, scale)

    @abstractmethod
    def row_values(self) -> int:
        """Return the numbers that are alive at once while one row goes through the denoiser, at most."""

    def text_values(self) -> Mapping[str, int]:
        """Return part -> the numbers that are alive at once while it reads prompts, at most; without small ones.

        CLIP and T5 need less than the transformers that they stand beside.
        """
        return {}

    @abstractmethod
    def token(self, word: str) -> Token:
        """Return the one token of a word; raise UsageError where it is none or several."""


def token_numbers(tokenizer: Any, prompts: Sequence[str], length: int = 0) -> torch.Tensor:
    """Return the tokens (N, L) of prompts, cut and filled up to `length`; 0 is the tokenizer's own, CLIP's 77."""
    return _tokens(tokenizer, prompts, length or tokenizer.model_max_length).input_ids


_MARKS = ("<|im_start|>", "<|im_end|>")
"""What a Qwen puts around what is said, one token each."""
ASKED = ("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n")
"""What stands before and after a prompt that a user says to a Qwen3, by its own template. The one in a base's folder is
not run: it is a stranger's code. ComfyUI writes the same."""


def chat_tokens(
    tokenizer: Any, prompts: Sequence[str], length: int, then: str = ""
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tokens (N, L) of prompts as a user says them to a Qwen3, and which are not filling.

    `then` is how the answer begins.
    """
    before, after = ASKED
    tokens = _tokens(tokenizer, [f"{before}{prompt}{after}{then}" for prompt in prompts], length)
    return tokens.input_ids, tokens.attention_mask


def require_chat(tokenizer: Any, path: str) -> None:
    """Raise UsageError for a tokenizer that does not know what a Qwen puts around what is said."""
    missing = [mark for mark in _MARKS if mark not in tokenizer.get_vocab()]
    if missing:
        raise UsageError(f"{path}: the tokenizer does not know {missing[0]}, so that it is none of a Qwen3.")


_AT_ONCE = 8
"""Prompts that go through a large text encoder together: 512 tokens of each take about a gigabyte in one of 4 billion
weights, and a plan may ask a thousand."""


def in_turn(embed: Callable[[Sequence[str]], Conditioning], prompts: Sequence[str]) -> Conditioning:
    """Return the conditioning of prompts, a few at a time."""
    return joined([embed(prompts[i : i + _AT_ONCE]) for i in range(0, len(prompts), _AT_ONCE)])


def reading_values(config: Any, tokens: int, kept: int = 0) -> int:
    """Return the numbers that are alive while a language model reads as many prompts as it does at once, at most.

    `tokens` are those of a prompt, `kept` how many layers' states are kept to the end besides the last.
    """
    return _AT_ONCE * language_values(tokens, config.hidden_size, config.intermediate_size, kept)


def _tokens(tokenizer: Any, texts: Sequence[str], length: int) -> Any:
    return tokenizer(list(texts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")


def noise_share(schedule: Schedule, t: torch.Tensor) -> torch.Tensor:
    """Return the share of the noise (N,) float32 at timesteps t (N,) of a flow; of shapes alone, a shape."""
    if t.is_meta:
        return t.float()
    return schedule.sigma[t.to(schedule.sigma.device)].float().to(t.device)
