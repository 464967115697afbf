"""Training adapters: LoRAs that take the distillation out of a base while another LoRA is trained on it.

Afterwards they are subtracted again, or left out, so that what was trained works on the distilled base. Their weights
look like any other's: they are told by what they call themselves.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from .accelerators import names_a_base, own_names, spaced

_NAMED = re.compile(
    r"\btraining adapters?\b|\bassistant (?:lora|adapter)s?\b|"
    r"\b(?:de|un) ?(?:turbo|distil\w*|schnell)(?: training)? (?:lora|adapter|assistant)s?\b"
)
"""Names in small words, such as those of Ostris' for FLUX.1-schnell, Z-Image-Turbo and Krea 2 Turbo."""


def training_adapter_notes(path: Path, metadata: Mapping[str, str]) -> Iterator[str]:
    """Yield the sentence that says of a training adapter what it is; nothing for any other file."""
    for where, name in own_names(path, metadata):
        if is_training_adapter(name):
            yield (
                f"by its {where} this is a training adapter: it takes the distillation out of its base while another "
                "LoRA is trained, and is subtracted or left out afterwards. It is no LoRA to draw with: the drift "
                "measured here is what it is made for"
            )
            return


def is_training_adapter(name: str) -> bool:
    """Return whether training adapters have such a name: beside the word, that of the base that they are for."""
    text = spaced(name)
    return _NAMED.search(text) is not None and names_a_base(text)
