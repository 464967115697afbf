"""`--with FILE:STRENGTH`: the LoRAs that are applied besides each one that is audited."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.adapter.identity import content_digest
from ..core.disk.digests import Digests
from ..core.errors import InvalidError, Setting, UsageError
from ..core.foreign import Advice, foreign
from ..core.text import inert
from .auditor import read_lora

if TYPE_CHECKING:
    from ..core.adapter.adapter import Below

Stacked = tuple[Path, float]
"""A LoRA and its strength."""
_DIGITS = 10
"""Of a hash: those by which sharing sites know a file (AutoV2)."""


def stack_of(given: Sequence[Stacked], digests: Digests) -> str:
    """Return what tells a stack from others, such as "9f2c4d0b1e@0.6"; raise UsageError where one cannot be read."""
    found: list[str] = []
    for path, strength in given:
        with foreign(f"{inert(str(path), 300)} cannot be read", Advice(settings=(Setting("with"),))):
            found.append(f"{content_digest(path, digests)[:_DIGITS]}@{strength:g}")
    return " + ".join(sorted(found))


def read_below(given: Sequence[Stacked], allow_pickle: bool) -> "list[Below]":
    """Return the LoRAs of a stack; raise UsageError where one cannot be used, for then nothing can be audited."""
    from ..core.adapter.adapter import Below

    try:
        return [Below(read_lora(path, allow_pickle), strength) for path, strength in given]
    except InvalidError as error:
        raise UsageError(str(error), *error.settings, Setting("with")) from error
