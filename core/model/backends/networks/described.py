"""The template of Qwen-Image, in which Krea 2's prompts stand too, and prompts as many tokens long as they are.

What fills prompts up in diffusers is masked and takes no place, in the text encoder and in the transformer. So it is
left out, but for what makes a few rows equally long: of Krea 2, 512 tokens of a prompt are 31 MB in 16 bits.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ....errors import UsageError

BEFORE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n"
)
AFTER = "<|im_end|>\n<|im_start|>assistant\n"
"""What stands before and after a prompt. The template in a base's folder is a stranger's code, and is not run."""
DROPPED = 34
"""Tokens of what stands before: transformers are not told of them."""
ENDING = 5
"""Tokens of what stands after."""


def require_template(tokenizer: Any, path: str) -> None:
    """Raise UsageError for a tokenizer that cuts the template as no Qwen's does: other tokens would be dropped."""
    found = tuple(len(numbers) for numbers in tokenizer([BEFORE, AFTER]).input_ids)
    if found != (DROPPED, ENDING):
        raise UsageError(
            f"{path}: the tokenizer cuts what stands around prompts into {found[0]} and {found[1]} tokens, and that "
            f"of a Qwen into {DROPPED} and {ENDING}."
        )


def cut(tokenizer: Any, texts: Sequence[str], length: int) -> list[list[int]]:
    """Return the tokens of texts, at most `length` each."""
    return tokenizer(list(texts), truncation=True, max_length=length).input_ids


def filled(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens (N, L), filled up behind to the longest row, and which are not filling (N, L) bool.

    A language model needs no such mask: no token of a prompt looks at what stands behind it.
    """
    longest = max(map(len, rows))
    numbers = [[*row, *[0] * (longest - len(row))] for row in rows]
    mask = [[True] * len(row) + [False] * (longest - len(row)) for row in rows]
    return torch.tensor(numbers, device=device), torch.tensor(mask, device=device)
