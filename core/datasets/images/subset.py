"""Which pictures of a class are taken: the first by name, or a subset that a seed draws. No torch."""

import hashlib
from collections.abc import Callable, Sequence

Choose = Callable[[Sequence[str]], list[int]]
"""Names of one class's pictures -> positions of those that are taken, ascending."""


def first(per_class: int) -> Choose:
    """Return what takes the first `per_class` pictures of a class; 0 takes all."""
    return lambda names: list(range(len(names)))[: per_class or None]


def drawn(per_class: int, seed: int) -> Choose:
    """Return what takes `per_class` pictures of a class as a seed draws them; 0 takes all.

    Names are ranked by a hash of seed and name: the same on every machine and with every version of numpy, whatever
    order a folder has, and a smaller subset lies within a larger one.
    """

    def rank(seed_name: str) -> bytes:
        return hashlib.sha256(seed_name.encode(errors="surrogatepass")).digest()

    def choose(names: Sequence[str]) -> list[int]:
        order = sorted(range(len(names)), key=lambda i: (rank(f"{seed}|{names[i]}"), i))
        return sorted(order[: per_class or None])

    return choose
