"""What an audit in ComfyUI switches on and off: a LoRA file, or a second MODEL and CLIP of the user's graph."""

import uuid
from collections.abc import Iterator
from typing import Any

import torch

from ...core.adapter import Adapter, match
from ...core.audit.adapter_record import adapter_record
from ...core.audit.change import mismatch
from ...core.model.diffusion.noise import gaussian
from ...core.text import inert
from ...core.verdict.report import AdapterRecord
from .lora_file import reading
from .lora_patch import with_lora
from .model.denoiser import ComfyDenoiser, Pair

_PROBES = 8
"""Timesteps at which two models are compared before anything is measured."""


class LoraChange:
    """A LoRA file at a strength, as `owf-audit` reads it."""

    is_repeatable = True

    def __init__(self, denoiser: ComfyDenoiser, adapter: Adapter, strength: float) -> None:
        self._denoiser, self._adapter, self._strength = denoiser, adapter, strength
        self.claimed = adapter.trigger_words
        denoiser.load_base()
        with reading(adapter.path):
            self._match = match(adapter, denoiser.components)
            self.tuned = with_lora(denoiser, adapter, strength)
        self.reads_as_base = not self._match.changes_text

    @property
    def key(self) -> tuple[str, ...]:
        """Return the file, how it is read, and the strength."""
        return self._adapter.key, repr(float(self._strength)), "comfy patches"

    def refusal(self) -> str | None:
        """Return why the file does not apply to this base as a whole; None when it does."""
        return mismatch(self._adapter, self._match.problems)

    def record(self) -> AdapterRecord:
        """Return the file's record."""
        return adapter_record(self._adapter, self._match, self._strength)

    def on(self) -> None:
        """Let the denoiser answer with the LoRA."""
        self._denoiser.use(self.tuned)

    def off(self) -> None:
        """Let the denoiser answer as the base."""
        self._denoiser.use(self._denoiser.base)


def patched(base: Pair, weights: dict[str, torch.Tensor], strength: float) -> Pair:
    """Return the pair with a LoRA, as ComfyUI's own loader node patches it; the base stays as it is."""
    import comfy.sd

    return Pair(*comfy.sd.load_lora_for_models(base.model, base.clip, weights, strength, strength))


class GraphChange:
    """A second MODEL and CLIP, whatever the user's graph did to make them."""

    is_repeatable = False
    reads_as_base = False

    def __init__(self, denoiser: ComfyDenoiser, tuned: Pair, title: str = "", claimed: tuple[str, ...] = ()) -> None:
        """Take how a report is to call it, where the graph says what it is made of, and the words of these files."""
        self._denoiser, self.tuned, self._named, self.claimed = denoiser, tuned, title, claimed
        # Nothing in a graph says whether two patches are the same, so samples of another run are never used.
        self.key = ("graph", uuid.uuid4().hex)

    def refusal(self) -> str | None:
        """Return why the two models cannot be compared; None when they can."""
        base, tuned = (pair.model.model.latent_format for pair in (self._denoiser.base, self.tuned))
        if base.latent_channels != tuned.latent_channels or base.scale_factor != tuned.scale_factor:
            return "The tuned model works on latents of another kind than the base, so the two cannot be compared."
        if all(torch.equal(a, b) for a, b in zip(self._probe(), self._probe_tuned(), strict=True)):
            return (
                f"The tuned model answers exactly as the base does at {_PROBES} timesteps: nothing was changed that an "
                "audit could see."
            )
        return None

    def record(self) -> AdapterRecord:
        """Return what is known of the change: which weights it touches and by how much."""
        keys, norm = self._size()
        return AdapterRecord(
            name=inert(self._named, 200) or f"tuned {self._title()} of the graph",
            sha256="",
            format="ComfyUI patches",
            algorithm=", ".join(self._kinds()) or f"another {self._title()}",
            family=self._denoiser.family,
            strength=1.0,
            matched=keys,
            unmatched=0,
            delta_norm=norm,
            warnings=() if keys else (f"The graph changes what {self._title()} does, not its weights.",),
        )

    def on(self) -> None:
        """Let the denoiser answer as the tuned pair."""
        self._denoiser.use(self.tuned)

    def off(self) -> None:
        """Let the denoiser answer as the base."""
        self._denoiser.use(self._denoiser.base)

    def _title(self) -> str:
        base = self._denoiser.base
        changed = {"MODEL": self.tuned.model is not base.model, "CLIP": self.tuned.clip is not base.clip}
        return " and ".join(name for name, is_changed in changed.items() if is_changed) or "MODEL"

    def _probe_tuned(self) -> list[torch.Tensor]:
        self.on()
        try:
            return self._probe()
        finally:
            self.off()

    def _probe(self) -> list[torch.Tensor]:
        """Return predictions over the whole range of timesteps."""
        denoiser = self._denoiser
        cond, steps = denoiser.encode_text(["a photo"]), denoiser.schedule.steps
        noise = gaussian(denoiser.latent_shape, 0, "probe").to(denoiser.device)[None]
        times = [(2 * i + 1) * steps // (2 * _PROBES) for i in range(_PROBES)]
        return [denoiser.predict(noise, torch.tensor([t], device=denoiser.device), cond).cpu() for t in times]

    def _kinds(self) -> list[str]:
        model, clip = self.tuned.model, self.tuned.clip.patcher
        named = {"weight patches": model.patches, "text encoder patches": clip.patches, "hooks": model.hook_patches}
        named |= {"object patches": model.object_patches, "wrappers": any(model.wrappers.values())}
        return [*(name for name, found in named.items() if found), *_option_kinds(model.model_options)]

    def _size(self) -> tuple[int, float]:
        """Return how many weights differ by patches, and the norm of their change relative to theirs."""
        self._denoiser.load_base()
        base = self._denoiser.base
        pairs = [(base.model, self.tuned.model), (base.clip.patcher, self.tuned.clip.patcher)]
        sizes = [size for before, after in pairs if before.model is after.model for size in _sizes(before, after)]
        change, weight = (sum(column) for column in zip(*sizes, strict=True)) if sizes else (0.0, 0.0)
        return len(sizes), (change / weight) ** 0.5 if weight else 0.0


def _option_kinds(options: dict[str, Any]) -> list[str]:
    transformer = options.get("transformer_options", {})
    names = [name for group in ("patches", "patches_replace") for name in transformer.get(group, {})]
    return [*names, *(name for name in options if name != "transformer_options")]


def _sizes(before: Any, after: Any) -> Iterator[tuple[float, float]]:
    """Yield the squared norms of change and weight for every key whose patches differ between two ModelPatchers."""
    from comfy.lora import calculate_weight
    from comfy.utils import get_attr

    for key in sorted(before.patches.keys() | after.patches.keys()):
        old, new = (patcher.patches.get(key, []) for patcher in (before, after))
        if old == new:
            continue
        # What is loaded carries the base's own patches already; what it was before lies in its backup.
        weight = before.backup[key].weight if key in before.backup else get_attr(before.model, key)
        weight = weight.detach().float()
        plain, tuned = (calculate_weight(list(patches), weight.clone(), key) for patches in (old, new))
        yield float((tuned - plain).square().sum()), float(plain.square().sum())
