"""CLIP's byte-pair tokenizer as files, built from OpenAI's published merge list."""

import gzip
import json
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77
"""Tokens of a caption, as in CLIP."""
MERGES = 49152 - 256 - 2
"""CLIP uses this many lines of the published list."""


def write_tokenizer(merge_list: Path, folder: Path) -> None:
    """Write vocab.json, merges.txt and their configs, with the token ids of Stable Diffusion 1's tokenizer.

    `merge_list` is OpenAI's `bpe_simple_vocab_16e6.txt.gz`, which open_clip also carries.
    """
    lines = gzip.decompress(merge_list.read_bytes()).decode("utf-8").split("\n")[1 : MERGES + 1]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = json.dumps(_vocabulary(lines), ensure_ascii=False, separators=(",", ":"))
    (folder / "vocab.json").write_text(vocabulary, encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")
    for name, content in (("tokenizer_config", _config()), ("special_tokens_map", _special_tokens())):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def _vocabulary(merges: list[str]) -> dict[str, int]:
    letters = byte_letters()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["".join(line.split()) for line in merges]
    return {token: index for index, token in enumerate([*tokens, START, END])}


def byte_letters() -> list[str]:
    """Return the 256 printable stand-ins of the byte-level vocabulary, printable bytes first."""
    spans = (("!", "~"), ("¡", "¬"), ("®", "ÿ"))
    printable = [byte for first, last in spans for byte in range(ord(first), ord(last) + 1)]
    others = 256 - len(printable)
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(others)]


def _special_tokens() -> dict:
    tokens = {"bos_token": START, "eos_token": END, "unk_token": END}
    return {**{role: _token(text) for role, text in tokens.items()}, "pad_token": END}


def _token(text: str) -> dict:
    return {"content": text, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}


def _config() -> dict:
    return {
        "add_prefix_space": False,
        "bos_token": START,
        "do_lower_case": True,
        "eos_token": END,
        "errors": "replace",
        "model_max_length": LENGTH,
        "pad_token": END,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": END,
    }
