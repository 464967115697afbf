"""Which concepts a LoRA was trained to change: they are to move, and count for nothing else."""

import re
from collections.abc import Sequence

import numpy as np

from ...errors import InvalidError, Setting
from ...plan.vocabulary import Concept

CLAIMED = 0.2
"""Largest share of the concepts that a file may call its own: its text may be a lie, and nothing would be left."""


def own_concepts(concepts: Sequence[Concept], words: Sequence[str]) -> np.ndarray:
    """Return which concepts (V,) name what the LoRA was trained to change: one of the words, or the last one of some.

    "sks dog" is about dogs, as the class stands last.
    """
    nouns = {part.lower() for word in words for part in (word, word.split()[-1] if word.split() else "") if part}
    if not nouns:
        return np.zeros(len(concepts), bool)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(nouns)))})(?:e?s)?(?!\w)", re.IGNORECASE)
    return np.array([pattern.search(concept.label) is not None for concept in concepts])


def told_apart(concepts: Sequence[Concept], told: Sequence[str], claimed: Sequence[str]) -> tuple[np.ndarray, bool]:
    """Return which concepts (V,) are the LoRA's own, by the user and by the file, and whether the file was believed.

    Raises InvalidError where nothing else is left.
    """
    own = own_concepts(concepts, told)
    with_claimed = own | own_concepts(concepts, claimed)
    believed = bool(with_claimed.mean() <= CLAIMED)
    own = with_claimed if believed else own
    if own.all():
        raise InvalidError(
            "Everything that is asked is the LoRA's own concept, so nothing shows what else it changed.",
            Setting("words"),
            Setting("concept"),
        )
    return own, believed
