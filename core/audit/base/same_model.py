"""Bases of one family that are no strangers to each other: what a LoRA was trained on, and the one in use. No torch.

LoRAs are trained on bases that were not distilled and drawn with on the distilled ones, as their makers say: that is
no mistake, and no measurement of the base of training either.
"""

import re

from ... import families


def of_the_same_family(trained_on: str, family: str, title: str) -> str:
    """Return in words what a base of a name, and the one in use, are where these are two of one family; else "".

    `title` says which of the bases of `family` is in use.
    """
    known = next((known for known in families.audited() if known.name == family), None)
    if known is None or known.pipeline is None or not title:
        return ""
    name = re.split(r"[/\\]", trained_on.strip())[-1]
    if _letters(known.pipeline.title) not in _letters(name):
        return ""
    stated = known.drawing_named([name])
    if stated is None or not stated.title or stated.title == title:
        return ""
    used = next(drawing for drawing in known.drawings if drawing.title == title)
    if stated.title in used.learned_on:
        return f"is {stated.title}, and the base in use is {title}, for which LoRAs are usually trained so"
    return f"is {stated.title}, and the base in use is {title}, another of the same family"


def _letters(name: str) -> str:
    return re.sub(r"[\W\d_]+", "", name.lower())
