"""Prompts as ComfyUI encodes them: hidden states, pooled vector and whatever else its models take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch

from ....core.errors import UsageError
from ....core.model.diffusion.denoiser import Conditioning
from .. import host

Entries = Mapping[str, Any]
"""Name of an input of the model -> ComfyUI's COND object for one row."""


@dataclass(frozen=True)
class HostConditioning(Conditioning):
    """Encoded prompts with ComfyUI's own entries for each row; `context` is the part that every model has."""

    entries: tuple[Entries, ...] = ()
    """What the model takes for each row."""
    shape: tuple[int, ...] = ()
    """(C, ...) of the latents that they are for: some models are told the size of a picture."""

    def rows(self, index: torch.Tensor | np.ndarray | Sequence[int]) -> "HostConditioning":
        """Return the rows at integer positions `index`, repeated and reordered at will."""
        positions = [int(i) for i in index]
        plain = super().rows(positions)
        entries = tuple(self.entries[i] for i in positions)
        return HostConditioning(plain.context, plain.pooled, entries=entries, shape=self.shape)


def encode(model: Any, clip: Any, prompts: Sequence[str], latents: torch.Tensor) -> HostConditioning:
    """Return the conditioning of the prompts, one row each, for latents shaped like `latents` (1, C, ...)."""
    found = {prompt: _encode_one(model, clip, prompt, latents) for prompt in dict.fromkeys(prompts)}
    parts = [found[prompt] for prompt in prompts]
    context = joined([{"context": entry["c_crossattn"]} for entry, _ in parts if "c_crossattn" in entry])
    if len(parts) and not context:
        raise UsageError("MODEL takes no text conditioning, so there is nothing to ask it by prompts.")
    pooled = [p for _, p in parts if p is not None]
    together = torch.cat(pooled) if len(pooled) == len(parts) else None
    entries, shape = tuple(entry for entry, _ in parts), tuple(latents.shape[1:])
    return HostConditioning(context["context"].cond, together, entries=entries, shape=shape)


def _encode_one(model: Any, clip: Any, prompt: str, latents: torch.Tensor) -> tuple[Entries, torch.Tensor | None]:
    """Return the entries of a prompt taken literally: parentheses in it are no weights."""
    from comfy.sampler_helpers import convert_cond
    from comfy.samplers import encode_model_conds

    host.check_interrupt()
    encoded = clip.encode_from_tokens_scheduled(_tokens(clip, prompt))
    if len(encoded) != 1:
        raise UsageError("CLIP has scheduled hooks, which an audit cannot follow; connect one without.")
    converted = convert_cond(encoded)
    device = model.load_device
    (entry,) = encode_model_conds(model.model.extra_conds, converted, latents.to(device), device, "positive")
    return entry["model_conds"], encoded[0][1].get("pooled_output")


def _tokens(clip: Any, prompt: str) -> dict[str, Any]:
    """Return a prompt's tokens; one that is too long for CLIP is cut where CLIP itself cuts, not spread over chunks."""
    tokens = clip.tokenize(prompt, disable_weights=True)
    if all(len(chunks) == 1 for chunks in tokens.values()):
        return tokens
    empty = clip.tokenize("", disable_weights=True)
    # T5 and its like take any length as one chunk, and stay as they are.
    return {name: chunks if len(chunks) == 1 else [_cut(chunks, empty[name][0])] for name, chunks in tokens.items()}


def _cut(chunks: Sequence[Sequence[Any]], empty: Sequence[Any]) -> list[Any]:
    """Return the first tokens of all chunks as one as long as that of an empty prompt: its start, its end, padding."""
    start, end = empty[:2]
    words = [token for chunk in chunks for token in takewhile(lambda token: token != end, chunk[1:])]
    chunk = [start, *words[: len(empty) - 2], end]
    return chunk + list(empty[len(chunk) :])


def entries_of(model: Any, cond: Conditioning, latents: torch.Tensor) -> dict[str, Any]:
    """Return the entries of conditioning rows for latents shaped like `latents` (1, C, ...).

    They are made anew from hidden states and pooled vectors where there are none, or for latents of another shape.
    """
    if isinstance(cond, HostConditioning) and cond.shape == tuple(latents.shape[1:]):
        return joined(cond.entries)
    from comfy.samplers import encode_model_conds

    device = model.load_device
    plain = {"cross_attn": cond.context, "pooled_output": cond.pooled, "model_conds": {}}
    (entry,) = encode_model_conds(model.model.extra_conds, [plain], latents.to(device), device, "positive")
    return entry["model_conds"]


def joined(entries: Sequence[Entries]) -> dict[str, Any]:
    """Return one set of entries with a row for each of `entries`, as ComfyUI joins prompts that it runs together."""
    if not entries:
        return {}
    return {name: _concat([entry[name] for entry in entries]) for name in entries[0]}


def _concat(conditions: Sequence[Any]) -> Any:
    first, *others = conditions
    if not others:
        return first
    return first._copy_with(first.concat(others))
