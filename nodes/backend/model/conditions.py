"""Prompts as ComfyUI encodes them: hidden states, pooled vector and whatever else its models take."""

from collections.abc import Iterator, Mapping, Sequence
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
    found = {prompt: _encode_one(model, clip, prompt, latents) for prompt in dict.fromkeys(prompts)}
    parts = [found[prompt] for prompt in prompts]
    contexts = [entry["c_crossattn"].cond for entry, _ in parts if "c_crossattn" in entry]
    if len(contexts) < len(parts) or not contexts:
        raise UsageError("MODEL takes no text conditioning, so there is nothing to ask it by prompts.")
    pooled = [p for _, p in parts if p is not None]
    together = torch.cat(pooled) if len(pooled) == len(parts) else None
    entries, shape = tuple(entry for entry, _ in parts), tuple(latents.shape[1:])
    context, mask = _filled(contexts)
    return HostConditioning(context, together, mask, entries=entries, shape=shape)


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


def _filled(contexts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return hidden states (N, L, D) of prompts (1, l, D), filled up to the longest, and which are not filling (N, L).

    The latter is None where all prompts are of one length, as those of most text encoders are.
    """
    lengths = [context.shape[1] for context in contexts]
    longest = max(lengths)
    if min(lengths) == longest:
        return torch.cat(list(contexts)), None
    filled = [nn.functional.pad(context, (0, 0, 0, longest - context.shape[1])) for context in contexts]
    mask = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    return torch.cat(filled), mask.to(contexts[0].device)


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
    lengths = [longest] * len(cond) if cond.mask is None else cond.mask.sum(1).tolist()
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
