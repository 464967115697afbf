"""What is asked instead of a concept, to see how much its prompt says: another one of its kind. Pure numpy.

A prediction that moved as far as another prompt would move it is that of another prompt, whatever its size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..vocabulary import KIND, Concept


@dataclass(frozen=True)
class Contrasts:
    """What is asked instead of V concepts at each of their R rows."""

    prompts: tuple[tuple[str, ...], ...]
    """(V, R) prompts."""
    exchanged: tuple[tuple[str, ...], ...]
    """(V, R) which attribute they differ in; KIND where it is another concept altogether."""


class Neighbourhood:
    """Which concepts of a vocabulary are next to a concept, its own or another's."""

    def __init__(self, concepts: Iterable[Concept]) -> None:
        self._kinds: dict[str, list[Concept]] = {}
        self._known: dict[tuple[tuple[str, str], ...], Concept] = {}
        self._levels: dict[tuple[str, str], dict[str, None]] = {}
        for concept in concepts:
            self._kinds.setdefault(_kind(concept), []).append(concept)
            self._known[concept.attributes] = concept
            for name, level in concept.attributes:
                self._levels.setdefault((_kind(concept), name), {})[level] = None

    def exchanges(self, concept: Concept) -> list[tuple[str, list[Concept]]]:
        """Return, for each attribute that can be exchanged, the concepts that differ from this one in it alone."""
        found = []
        for place, (name, _) in enumerate(concept.attributes):
            if name == KIND:
                continue
            before, after = concept.attributes[:place], concept.attributes[place + 1 :]
            keys = ((*before, (name, level), *after) for level in self._levels.get((_kind(concept), name), ()))
            ring = [self._known[key] for key in keys if key in self._known and key != concept.attributes]
            if ring := [other for other in ring if other.prompt != concept.prompt]:
                found.append((name, ring))
        return found

    def mates(self, concept: Concept) -> list[Concept]:
        """Return the others of its kind, or all others where the kind has none."""
        of_kind = [other for other in self._kinds.get(_kind(concept), ()) if other.prompt != concept.prompt]
        every = (other for others in self._kinds.values() for other in others)
        return of_kind or [other for other in every if other.prompt != concept.prompt]


def contrasts(concepts: Sequence[Concept], others: Sequence[Concept], rows: int, seed: int) -> Contrasts:
    """Return what is asked instead of each concept, taken from the `others`.

    It differs in one attribute, another one from row to row, where attributes make a concept; otherwise it is any of
    the same kind, and any at all where the kind has no other. Raises ValueError where there is no other at all.
    """
    import numpy as np

    rng, around = np.random.default_rng([seed, len(concepts), rows]), Neighbourhood(others)
    prompts, exchanged = [], []
    for place, concept in enumerate(concepts):
        near = around.exchanges(concept) or [(KIND, around.mates(concept))]
        if not near[0][1]:
            raise ValueError("one concept alone has nothing to be compared with")
        rings = [near[(place + row) % len(near)] for row in range(rows)]
        prompts.append(tuple(ring[int(rng.integers(len(ring)))].prompt for _, ring in rings))
        exchanged.append(tuple(name for name, _ in rings))
    return Contrasts(tuple(prompts), tuple(exchanged))


def _kind(concept: Concept) -> str:
    return dict(concept.attributes).get(KIND, "")
