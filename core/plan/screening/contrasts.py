"""What is asked instead of a concept, to see how much its prompt says: another one of its kind. Pure numpy.

A prediction that moved as far as another prompt would move it is that of another prompt, whatever its size. What is
lost is lost to something: mostly to what was next to it, and then the prediction moved towards that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..vocabulary import KIND, Concept

if TYPE_CHECKING:
    import numpy as np

NEAREST = 2
"""Neighbours that stand for all: what becomes something further away goes about half of the way to any of them."""

_ANY = 4
"""Rows of which one is asked for anything instead of a neighbour. They measure how far concepts are apart, which takes
fewer rows than to see of each thing whether it went to its neighbours."""


@dataclass(frozen=True)
class Contrasts:
    """What is asked instead of V concepts at each of their R rows."""

    prompts: tuple[tuple[str, ...], ...]
    """(V, R) prompts."""
    exchanged: tuple[tuple[str, ...], ...]
    """(V, R) which attribute they differ in; KIND where it is another concept altogether."""
    near: tuple[tuple[bool, ...], ...]
    """(V, R) whether they are among the NEAREST of those, or any."""


class Texts:
    """Prompts as a base's text encoder reads them: which are alike."""

    def __init__(self, read: dict[str, "np.ndarray"]) -> None:
        """Take the vectors (D,) of the prompts."""
        import numpy as np

        values = np.stack(list(read.values()))
        centred = values - values.mean(axis=0)
        self._read = dict(zip(read, centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-12), strict=True))

    def nearest(self, concept: Concept, others: Sequence[Concept], count: int) -> list[Concept]:
        """Return so many of the others, or all there are, the most alike first."""
        import numpy as np

        likeness = np.stack([self._read[other.prompt] for other in others]) @ self._read[concept.prompt]
        return [others[i] for i in np.argsort(-likeness, kind="stable")[:count]]


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
        """Return the others of its kind, or where the kind has none all others that are not about the same.

        The last word says what a concept is: against red coats nobody sees that coats are lost.
        """
        of_kind = [other for other in self._kinds.get(_kind(concept), ()) if other.prompt != concept.prompt]
        if of_kind:
            return of_kind
        every = [c for others in self._kinds.values() for c in others if c.prompt != concept.prompt]
        noun = concept.label.casefold().split()[-1:]
        return [other for other in every if not {*noun} & {*other.label.casefold().split()}] or every


def contrasts(
    concepts: Sequence[Concept], others: Sequence[Concept], rows: int, seed: int, texts: Texts | None = None
) -> Contrasts:
    """Return what is asked instead of each concept, taken from the `others`.

    It differs in one attribute, another one from row to row, where attributes make a concept; otherwise it is any of
    the same kind, and any at all where the kind has no other. With `texts` it is mostly one of those that are nearest.
    Raises ValueError where there is no other at all.
    """
    import numpy as np

    rng, around = np.random.default_rng([seed, len(concepts), rows]), Neighbourhood(others)
    # By chance, so that neighbours do not go with timesteps, nor with attributes.
    near = np.zeros(len(concepts) * rows, bool) if texts is None else np.arange(len(concepts) * rows) % _ANY > 0
    near = rng.permutation(near).reshape(len(concepts), rows)
    prompts, exchanged = [], []
    for place, concept in enumerate(concepts):
        known = around.exchanges(concept) or [(KIND, around.mates(concept))]
        if not known[0][1]:
            raise ValueError("one concept alone has nothing to be compared with")
        nearest = [ring if texts is None else texts.nearest(concept, ring, NEAREST) for _, ring in known]
        turns = [(place + row) % len(known) for row in range(rows)]
        rings = [(nearest if near[place, row] else [r for _, r in known])[turn] for row, turn in enumerate(turns)]
        prompts.append(tuple(ring[int(rng.integers(len(ring)))].prompt for ring in rings))
        exchanged.append(tuple(known[turn][0] for turn in turns))
    return Contrasts(tuple(prompts), tuple(exchanged), tuple(map(tuple, near.tolist())))


def _kind(concept: Concept) -> str:
    return dict(concept.attributes).get(KIND, "")
