"""Whom to ask further: what stands out in the screening, what moved most, and a random control; and against what."""

from collections.abc import Sequence

import numpy as np

from ...plan.screening.confirmation import CANDIDATES, NAMED, PICTURES
from ...plan.screening.contrasts import Neighbourhood, Texts
from ...plan.vocabulary import KIND, Concept
from ..evidence import Screened, Suspects
from .damage import Damage
from .found import Found, find

MOVED_MOST, CONTROL = "single concepts that moved most", "concepts drawn at random"
"""Names of the two groups that have none of their own."""


def suspects(
    seen: Screened, further: Sequence[Concept], told: Sequence[str], claimed: Sequence[str], seed: int
) -> tuple[Suspects, ...]:
    """Return groups of concepts to ask further, each a draw of PICTURES with replacement.

    The screening's rows choose them, and nothing of these counts afterwards. A picture is compared with what differs in
    the attribute at hand, or in any one, or else is of the same kind: the nearest by their texts, and some of `further`
    where these are few.
    """
    found, rng = find(seen, told, claimed), np.random.default_rng([seed, PICTURES])
    near = _Nearest(seen, further, rng)
    drawn = [near.group(CONTROL, (), found, np.arange(len(found.places)))]
    things = _things(found)[:NAMED]
    named = {int(i) for thing in things for i in thing.members}
    drawn += [near.group(found.moved.name(t.levels, t.members), _exchanged(t), found, t.members) for t in things]
    order = np.argsort(-found.moved.ways(), kind="stable")
    most = np.array([i for i in order if int(i) not in named][:PICTURES], int)
    if len(most):
        drawn.append(near.group(MOVED_MOST, (), found, most))
    return tuple(drawn)


class _Nearest:
    """Draws groups and finds what their concepts are most easily taken for."""

    def __init__(self, seen: Screened, further: Sequence[Concept], rng: np.random.Generator) -> None:
        self._around, self._further, self._rng = Neighbourhood(seen.concepts), further, rng
        self._texts = Texts(dict(zip((c.prompt for c in seen.concepts), seen.embedding, strict=True)))

    def group(self, name: str, attributes: tuple[str, ...], found: Found, members: np.ndarray) -> Suspects:
        chosen = [found.moved.concepts[i] for i in self._rng.choice(members, PICTURES)]
        against = [self._candidates(concept, attributes) for concept in chosen]
        prompts = tuple((c.prompt, *(o.prompt for o, _ in a)) for c, a in zip(chosen, against, strict=True))
        labels = tuple((_called(c, attributes), *(n for _, n in a)) for c, a in zip(chosen, against, strict=True))
        return Suspects(name, prompts, labels)

    def _candidates(self, concept: Concept, attributes: tuple[str, ...]) -> list[tuple[Concept, str]]:
        """Return what a picture of a concept is compared with, and how that is called."""
        exchanges = self._around.exchanges(concept)
        rings = [ring for name, ring in exchanges if name in attributes] or [ring for _, ring in exchanges]
        pool = [other for ring in rings for other in ring] or self._around.mates(concept)
        pool = _others(pool, concept.prompt)
        if len(pool) >= CANDIDATES:
            pool = self._texts.nearest(concept, pool, CANDIDATES - 1)
        elif not exchanges:
            lacking = CANDIDATES - 1 - len(pool)
            shuffled = [self._further[i] for i in self._rng.permutation(len(self._further))]
            pool += _others(shuffled, concept.prompt, *(other.prompt for other in pool))[:lacking]
        return [(other, _called(other, attributes)) for other in pool]


def _others(concepts: Sequence[Concept], *prompts: str) -> list[Concept]:
    """Return the concepts with other prompts, which are compared as most text encoders read them: in small letters.

    Between two that are the same to the base, chance would say which of them a picture shows.
    """
    known = {prompt.casefold() for prompt in prompts}
    return [other for other in concepts if other.prompt.casefold() not in known]


def _things(found: Found) -> list[Damage]:
    """Return what is beyond its limit, and then what stands out within it: both may be lost to a near neighbour."""
    named = [thing for thing in found.named.things if found.moved.is_one(thing.members)]
    known = {tuple(thing.members) for thing in named}
    return named + [thing for thing in found.named.standing if tuple(thing.members) not in known]


def _exchanged(thing: Damage) -> tuple[str, ...]:
    """Return the attributes that make a thing; its kind cannot be exchanged."""
    return tuple(name for name, _ in thing.levels if name != KIND)


def _called(concept: Concept, attributes: tuple[str, ...]) -> str:
    levels = [level for name, level in concept.attributes if name in attributes]
    return " & ".join(levels) or concept.label
