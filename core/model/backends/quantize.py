"""Linear layers rounded to few bits, as hosts do it: to 8 by torchao, to 4 by bitsandbytes."""

from collections.abc import Iterable
from importlib import import_module

import torch
from torch import nn

from ...errors import Setting, UsageError
from ..memory import Keeping
from .kept_as_stored import widen

ROUNDING = 2
"""Version of what is rounded and how, for digests of rounded bases: what another one measured stands for nothing."""
_LIBRARIES = {"int8": "torchao.quantization", "nf4": "bitsandbytes.nn"}


def quantize(modules: Iterable[nn.Module], keeping: Keeping) -> None:
    """Round the weights of the linear layers in place as they are to be kept; see `memory.QUANTIZED`.

    Those that are kept as stored are widened, and rounded as others are. Raises UsageError where the library is not
    installed.
    """
    require_library(keeping)
    for module in modules:
        widen(module)
        _ROUNDS[keeping.quantize](module)


def require_library(keeping: Keeping) -> None:
    """Raise UsageError where weights are to be rounded and what rounds them is not installed."""
    if keeping.quantize == "none":
        return
    try:
        import_module(_LIBRARIES[keeping.quantize])
    except ImportError as error:
        raise UsageError(
            f"Rounding weights to {keeping.quantize} needs another package.", Setting("install", "'owf[quantize]'")
        ) from error


def _to_int8(module: nn.Module) -> None:
    """Round to 8 bits, each output with a scale of its own."""
    from torchao.quantization import (  # pyright: ignore[reportMissingImports]
        Int8WeightOnlyConfig,
        quantize_,
    )

    quantize_(module, Int8WeightOnlyConfig())


def _to_nf4(module: nn.Module) -> None:
    """Let layers round themselves to 4 bits of a normal distribution once they are put on a device."""
    from bitsandbytes.nn import Linear4bit, Params4bit  # pyright: ignore[reportMissingImports]

    # Torch's own attention reads the weights of its layers, whose class is another one, and never asks the layers.
    layers = [(name, layer) for name, layer in module.named_modules() if type(layer) is nn.Linear]
    for name, layer in layers:
        # T5 gives what it feeds such a layer the type of its weight: whole bytes would cut it to whole numbers.
        packed_in = layer.weight.dtype if _is_kept_wide(module, name) else torch.uint8
        with torch.device("meta"):  # its weights are drawn otherwise, which takes longer than all the rest
            rounded = Linear4bit(
                layer.in_features,
                layer.out_features,
                bias=layer.bias is not None,
                compute_dtype=layer.weight.dtype,
                quant_type="nf4",
                quant_storage=packed_in,
            )
        rounded.weight = Params4bit(
            layer.weight.data,
            requires_grad=False,
            quant_type="nf4",
            compress_statistics=True,
            quant_storage=packed_in,
        )
        rounded.bias = layer.bias
        # On some processors it would round its scales once more when it is first asked without gradients.
        rounded.support_avx512bf16_for_cpu = False
        module.set_submodule(name, rounded.train(layer.training))


def _is_kept_wide(module: nn.Module, name: str) -> bool:
    """Return whether a model's class asks for a layer in float32, as T5 does for the last of its feed-forwards."""
    kept = getattr(module, "_keep_in_fp32_modules", None) or ()
    return any(part in kept for part in name.split("."))


_ROUNDS = {"int8": _to_int8, "nf4": _to_nf4}
