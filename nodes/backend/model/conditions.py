"""Prompts as ComfyUI encodes them: hidden states, pooled vector and whatever else its models take."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from torch import nn

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
        return HostConditioning(plain.context, plain.pooled, plain.mask, entries=entries, shape=self.shape)


def encode(model: Any, clip: Any, prompts: Sequence[str], latents: torch.Tensor) -> HostConditioning:
    """Return the conditioning of the prompts, one row each, for latents shaped like `latents` (1, C, ...)."""
    read = {prompt: _read(clip, prompt) for prompt in dict.fromkeys(prompts)}
    if _reads(model):  # with this MODEL's own patches, which loading CLIP may have taken out
        host.load(model)
    found = {prompt: _entries(model, encoded, latents) for prompt, encoded in read.items()}
    parts = [found[prompt] for prompt in prompts]
    contexts = [entry["c_crossattn"].cond for entry in parts if "c_crossattn" in entry]
    if len(contexts) < len(parts) or not contexts:
        raise UsageError("MODEL takes no text conditioning, so there is nothing to ask it by prompts.")
    rows = [read[prompt] for prompt in prompts]
    pooled = [vector for row in rows if (vector := row[0][1].get("pooled_output")) is not None]
    together = torch.cat(pooled) if len(pooled) == len(parts) else None
    context, mask = _filled(contexts, [_length(*pair) for pair in zip(rows, contexts, strict=True)])
    return HostConditioning(context, together, mask, entries=tuple(parts), shape=tuple(latents.shape[1:]))


def _reads(model: Any) -> bool:
    """Return whether a part of MODEL's network reads what CLIP made of a prompt, once, before it is asked."""
    return hasattr(model.model.diffusion_model, "preprocess_text_embeds")


def _read(clip: Any, prompt: str) -> list[Any]:
    """Return ComfyUI's CONDITIONING of a prompt taken literally: parentheses in it are no weights."""
    host.check_interrupt()
    encoded = clip.encode_from_tokens_scheduled(_tokens(clip, prompt))
    if len(encoded) != 1:
        raise UsageError("CLIP has scheduled hooks, which an audit cannot follow; connect one without.")
    return encoded


def _entries(model: Any, encoded: list[Any], latents: torch.Tensor) -> Entries:
    """Return the entries of a prompt that CLIP has read; what reads in MODEL's network must be loaded."""
    from comfy.sampler_helpers import convert_cond
    from comfy.samplers import encode_model_conds

    device, converted = model.load_device, convert_cond(encoded)
    # Out of inference mode ComfyUI takes it for a training, and puts the reading off.
    with torch.inference_mode() if _reads(model) else nullcontext():
        (entry,) = encode_model_conds(model.model.extra_conds, converted, latents.to(device), device, "positive")
    return entry["model_conds"]


def _length(encoded: list[Any], context: torch.Tensor) -> int:
    """Return how many of the hidden states (1, L, D) are of a prompt: Anima has one for each of T5's tokens."""
    tokens = encoded[0][1].get("t5xxl_ids")
    return context.shape[1] if tokens is None else len(tokens)


def _filled(contexts: Sequence[torch.Tensor], lengths: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return hidden states (N, L, D) of prompts (1, l, D), filled up to the longest, and which are not filling (N, L).

    `lengths` are those of the prompts without what already fills them up. The mask is None where none is filled, as
    those of most text encoders are not.
    """
    longest = max(context.shape[1] for context in contexts)
    filled = torch.cat([nn.functional.pad(context, (0, 0, 0, longest - context.shape[1])) for context in contexts])
    if min(lengths) == longest:
        return filled, None
    mask = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    return filled, mask.to(filled.device)


def _tokens(clip: Any, prompt: str) -> dict[str, Any]:
    """Return a prompt's tokens; one that is too long for CLIP is cut where CLIP itself cuts, not spread over chunks."""
    tokens = clip.tokenize(_literal(prompt))
    if all(len(chunks) == 1 for chunks in tokens.values()):
        return tokens
    empty = clip.tokenize("")
    # T5 and its like take any length as one chunk, and stay as they are.
    return {name: chunks if len(chunks) == 1 else [_cut(chunks, empty[name][0])] for name, chunks in tokens.items()}


def _literal(prompt: str) -> str:
    """Return a prompt as ComfyUI is to be given it, so that parentheses are some.

    Its tokenizers have a setting for that, too, but those of language models give it themselves and refuse it twice.
    """
    return prompt.replace("(", "\\(").replace(")", "\\)")


def _cut(chunks: Sequence[Sequence[Any]], empty: Sequence[Any]) -> list[Any]:
    """Return the first tokens of all chunks as one as long as that of an empty prompt: its start, its end, padding."""
    start, end = empty[:2]
    words = [token for chunk in chunks for token in takewhile(lambda token: token != end, chunk[1:])]
    chunk = [start, *words[: len(empty) - 2], end]
    return chunk + list(empty[len(chunk) :])


def together(model: Any, cond: Conditioning, latents: torch.Tensor) -> Iterator[tuple[list[int], dict[str, Any]]]:
    """Yield which rows of a conditioning the model can be asked at once, with their entries.

    Prompts of language models have as many hidden states as tokens, and ComfyUI runs those of other lengths apart.
    Entries are made anew from hidden states and pooled vectors where there are none, or for latents (1, C, ...) of
    another shape.
    """
    if not isinstance(cond, HostConditioning) or cond.shape != tuple(latents.shape[1:]):
        yield from _made(model, cond, latents)
        return
    groups: list[list[int]] = []
    for row, entries in enumerate(cond.entries):
        fitting = next((group for group in groups if _joins(cond.entries[group[0]], entries)), None)
        if fitting is None:
            groups.append([row])
        else:
            fitting.append(row)
    for group in groups:
        yield group, joined([cond.entries[row] for row in group])


def _made(model: Any, cond: Conditioning, latents: torch.Tensor) -> Iterator[tuple[list[int], dict[str, Any]]]:
    from comfy.samplers import encode_model_conds

    device, longest = model.load_device, cond.context.shape[1]
    # What a part of the network read is filled up for the rest, which looks at the filling too.
    mask = None if _reads(model) else cond.mask
    lengths = [longest] * len(cond) if mask is None else mask.sum(1).tolist()
    for length in dict.fromkeys(lengths):
        rows = [row for row, own in enumerate(lengths) if own == length]
        part = cond.rows(rows)
        plain = {"cross_attn": part.context[:, :length], "pooled_output": part.pooled, "model_conds": {}}
        (entry,) = encode_model_conds(model.model.extra_conds, [plain], latents.to(device), device, "positive")
        yield rows, entry["model_conds"]


def joined(entries: Sequence[Entries]) -> dict[str, Any]:
    """Return one set of entries with a row for each of `entries`, as ComfyUI joins prompts that it runs together."""
    return {name: _concat([entry[name] for entry in entries]) for name in entries[0]}


def _joins(first: Entries, other: Entries) -> bool:
    return first.keys() == other.keys() and all(first[name].can_concat(other[name]) for name in first)


def _concat(conditions: Sequence[Any]) -> Any:
    first, *others = conditions
    if not others:
        return first
    return first._copy_with(first.concat(others))
