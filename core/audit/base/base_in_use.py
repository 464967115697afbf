"""The base in use, held against the one that a LoRA says it was trained on. No torch."""

import re
from dataclasses import dataclass

from ... import families
from ...adapter.naming.stated.stated_base import SHORT_HASH, StatedBase
from ...text import inert
from .same_model import of_the_same_family

_SAYS_NOTHING = frozenset(
    {"base", "basemodel", "checkpoint", "ckpt", "custom", "diffusionpytorchmodel", "final", "last", "latest", "merge"}
    | {"merged", "model", "new", "none", "output", "pony", "pytorchmodel", "sd", "sd1", "sd2", "sd3", "sdxl"}
    | {"", "stablediffusion", "test", "unet", "unknown", "untitled", "xl"}
)
"""What anybody's file may be called, as `_plain` has it."""

_SAME = (
    {"15", "sd15", "stablediffusion15", "sd15base"},
    {"14", "sd14", "stablediffusion14"},
    {"sdxl10", "sdxlbase", "sdxlbase10", "sdxl10base", "stablediffusionxlbase10", "stablediffusionxl10"},
    {"21", "21768", "sd21", "stablediffusion21", "sd21768"},
    {"6startwiththisone", "ponydiffusion6xl", "ponydiffusion6xl6startwiththisone", "ponyxl6"},
    {"illustriousxl01", "illustriousxl", "illustriousxlearlyrelease0"},
)
"""Names under which one and the same base is known, as `_plain` has them."""
_TELLING = 6
"""Letters from which on a name that is part of another one is taken for the same: a release, or a copy."""


@dataclass(frozen=True)
class UsedBase:
    """The base that is audited."""

    name: str
    """Hub id, or the name of its file or folder."""
    sha256: str = ""
    """sha256 of its file; empty where it is no single file, or was not asked for."""
    legacy: str = ""
    """Eight digits by which older programs know its file; empty as above."""
    family: str = ""
    """Name of its family."""
    title: str = ""
    """Which of its family's bases it is (see `families.Drawing`); empty where these are not told apart."""


def is_named(stated: StatedBase) -> bool:
    """Return whether a LoRA says more of its base than what any file may be called."""
    return bool(stated.sha256 or stated.legacy or says_something(stated.name))


def same_hash(stated: StatedBase, used: UsedBase) -> bool | None:
    """Return whether the hashes are those of one file; None where the two have none in common.

    Short hashes that differ prove that the files do; that they agree counts only where there is no sha256.
    """
    if stated.legacy and used.legacy and stated.legacy != used.legacy:
        return False
    if stated.sha256 and used.sha256:
        return used.sha256.startswith(stated.sha256)
    return True if stated.legacy and used.legacy else None


def difference(stated: StatedBase, used: UsedBase) -> str:
    """Return the sentence that says that this is not the base of training; "" where nothing speaks for that."""
    same = same_hash(stated, used)
    if same:
        return ""
    trained = f"By its metadata the LoRA was trained on {stated.words()}"
    name = inert(used.name)
    meaning = "what was measured is what it does to the base in use"
    if variant := of_the_same_family(stated.name, used.family, used.title):
        return f"{trained}, which {variant}: {meaning}."
    if same is False:
        digits = used.sha256[:SHORT_HASH] or used.legacy
        return f"{trained}, and the base in use, {name} (hash {digits}), is another file: {meaning}."
    if not (says_something(stated.name) and says_something(used.name)) or alike(stated.name, used.name):
        return ""
    return f"{trained}, and the base in use is called {name}: if these are two models, {meaning}."


def says_something(name: str) -> bool:
    """Return whether a name says which model it is."""
    plain = _plain(name)
    return plain not in _SAYS_NOTHING and (not plain.isdigit() or any(plain in names for names in _SAME))


def same_name(one: str, other: str) -> bool:
    """Return whether two names are of the same model: equal but for spelling and type, or known as such."""
    a, b = _plain(one), _plain(other)
    return a == b or any(a in names and b in names for names in _SAME)


def alike(one: str, other: str) -> bool:
    """Return whether two names may be of the same model: `same_name`, or one has the other in it."""
    short, long = sorted((_plain(one), _plain(other)), key=len)
    return same_name(one, other) or (len(short) >= _TELLING and short in long)


def _plain(name: str) -> str:
    """Return a name without path, ending, punctuation, and what says only in which type it was saved."""
    last = re.split(r"[/\\]", name.strip())[-1].casefold()
    last = re.sub(r"\.(safetensors|sft|ckpt|pth?|bin)$", "", last)
    words = re.sub(r"0\.9 ?vae|[\W_]+", " ", last)
    words = re.sub(
        r"\b(fp16|bf16|fp32|fp8|pruned|emaonly|(?:no|non)?ema|only|(?:baked)? ?vae(?: ?fix)?|vae)\b", " ", words
    )
    return re.sub(r"v(?=\d)", "", "".join(words.split()))


def other_clip_skip(stated: str, used: int | None, family: str) -> str:
    """Return the sentence that says that a LoRA was trained with prompts read at another layer than the base reads.

    `stated` is what its file says: kohya's programs write "None" where nobody chose, which is the last layer as 1 is.
    "" where it says nothing, or bases of the family leave no choice.
    """
    layer = "1" if stated == "None" else stated
    known = {f.name for f in families.audited() if f.skips_layers}
    if family not in known or not re.fullmatch(r"[1-9]|1\d", layer) or int(layer) == (used or 1):
        return ""
    return (
        f"By its metadata the LoRA was trained with clip skip {layer}, and prompts were read here with clip skip "
        f"{used or 1}: audit it with {layer} if that is how it will be used."
    )


def other_family(made_for: str, used: str) -> str:
    """Return the sentence that says that a LoRA is for a base of another family; "" where nothing speaks for that.

    Of bases in sizes of their own, and of small ones for tests, no family of LoRAs can be told apart.
    """
    titles = {family.name: family.title for family in families.all_families()}
    if made_for == used or made_for not in titles or used not in {family.name for family in families.audited()}:
        return ""
    return f"By its weights or metadata the LoRA is for {titles[made_for]}, and this base is {titles[used]}."
