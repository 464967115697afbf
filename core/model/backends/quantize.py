"""Linear layers rounded to few bits by torchao, as hosts do it."""

from collections.abc import Iterable

from torch import nn

from ...errors import Setting, UsageError


def quantize_to_int8(modules: Iterable[nn.Module]) -> None:
    """Round the weights of the linear layers to 8 bits in place, each output with a scale of its own.

    Raises UsageError where torchao is not installed.
    """
    try:
        from torchao.quantization import (  # pyright: ignore[reportMissingImports]
            Int8WeightOnlyConfig,
            quantize_,
        )
    except ImportError as error:
        raise UsageError(
            "Rounding weights to 8 bits needs another package.", Setting("install", "'owf[quantize]'")
        ) from error
    for module in modules:
        quantize_(module, Int8WeightOnlyConfig())
