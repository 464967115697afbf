"""The base that a LoRA file says it was trained on."""

import re
from dataclasses import dataclass

from .metadata import Training

_EMPTY_HASHES = ("e3b0c442", "00000000")
"""Beginnings of the hash of nothing, which the short ones of small files are, and of none."""
_WHOLE, _LEGACY = 64, 8
"""Hexadecimal digits of a sha256, and of the hash that older programs write."""
SHORT_HASH = 10
"""Digits of a sha256 by which people know files: AutoV2."""


@dataclass(frozen=True)
class StatedBase:
    """The base that a LoRA was trained on by its own account; empty where it does not say."""

    name: str = ""
    """Name or file name, inert."""
    sha256: str = ""
    """sha256 of the checkpoint's file, or its first ten digits."""
    legacy: str = ""
    """Eight digits by which older programs know it."""

    def words(self) -> str:
        """Return name and hash for a sentence."""
        digits = self.sha256[:SHORT_HASH] or self.legacy
        return f"{self.name or 'a checkpoint'}{f' (hash {digits})' if digits else ''}"


def stated_base(training: Training) -> StatedBase:
    """Return what a file's metadata say of its base; hashes that are none are left out."""
    hashes = [_hexadecimal(text) for text in (training.base_hash, training.base_legacy_hash)]
    whole = next((h for h in hashes if len(h) in (_WHOLE, SHORT_HASH)), "")
    legacy = next((h for h in hashes if len(h) == _LEGACY), "")
    return StatedBase(training.base_model, whole, legacy)


def base_digits(stated: StatedBase) -> str:
    """Return the stated hashes as people look them up; "" without any."""
    named = (("AutoV2", stated.sha256[:SHORT_HASH]), ("AutoV1", stated.legacy))
    return ", ".join(f"{name} {digits}" for name, digits in named if digits)


def _hexadecimal(text: str) -> str:
    digits = text.strip().lower().removeprefix("0x")
    return "" if digits.startswith(_EMPTY_HASHES) or not re.fullmatch("[0-9a-f]+", digits) else digits
