"""What every long node asks of ComfyUI: interrupts, loading through its memory management, progress."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_ALL = 1e20
"""Bytes that no device has: asking for them offloads every other model."""


def check_interrupt() -> None:
    """Raise ComfyUI's InterruptProcessingException if the user pressed cancel."""
    import comfy.model_management

    comfy.model_management.throw_exception_if_processing_interrupted()


def versions() -> dict[str, str]:
    """Return ComfyUI's version and its kind of attention: either may change a result in the last digit."""
    from comfy.ldm.modules.attention import optimized_attention
    from comfyui_version import __version__

    return {"ComfyUI": __version__, "attention": getattr(optimized_attention, "__name__", "unknown")}


def load(*patchers: Any, shapes: Sequence[Sequence[int]] = (), whole: bool = False) -> None:
    """Load models for computing and unload others as memory asks; exactly these patches are then in effect.

    `shapes` are those of the first model's input: the batch that comes, and the smallest it could be cut to. They
    say how much memory has to stay free beside the weights. `whole` frees all there is and splits nothing.
    """
    import comfy.model_management as management

    nested = [other for patcher in patchers for other in patcher.get_nested_additional_models()]
    needs = [patchers[0].memory_required(list(shape)) + management.minimum_inference_memory() for shape in shapes]
    management.load_models_gpu(
        [*patchers, *nested],
        memory_required=_ALL if whole else max(needs, default=0),
        minimum_memory_required=min(needs, default=None),
        force_full_load=whole,
    )


def why_split() -> str:
    """Return why a model that was to be loaded whole was not, for the end of a sentence."""
    from comfy.model_management import VRAMState, vram_state

    if vram_state == VRAMState.NO_VRAM:
        return "ComfyUI keeps none: start it without --novram"
    return f"only a part of it was loaded (ComfyUI's memory mode is {vram_state.name})"


def offload_others(device: Any) -> None:
    """Take every model off the device that ComfyUI knows of; what is `held` stays."""
    import comfy.model_management as management

    if not management.is_device_cpu(device):
        management.free_memory(_ALL, device)


@contextmanager
def held(patcher: Any) -> Iterator[None]:
    """Keep a loaded model where it is while the block lasts, whatever else is loaded.

    ComfyUI offloads, and takes patches back from, what is in its list of loaded models; meanwhile it is not.
    """
    import comfy.model_management

    loaded = comfy.model_management.current_loaded_models
    kept = [entry for entry in loaded if entry.model is not None and patcher.is_clone(entry.model)]
    for entry in kept:
        loaded.remove(entry)
    try:
        yield
    finally:
        loaded.extend(kept)


class Bar:
    """ComfyUI's progress bar of the running node; moving it also raises when the user pressed cancel."""

    def __init__(self, total: int) -> None:
        import comfy.utils

        self._bar = comfy.utils.ProgressBar(max(1, total))

    def move(self, done: int, total: int) -> None:
        """Show `done` of `total`."""
        self._bar.update_absolute(done, max(1, total))
