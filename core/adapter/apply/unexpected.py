"""Tensors and modules that have no place, but whose names say that they change a module that has one."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from ...text import inert
from ..adapter import Adapter
from ..module import AdapterModule
from ..naming import ldm_names
from ..naming.names import flatten, place

_ASKED = 200
"""Unknown tensors that are compared with module names; no sound file has more, so that further ones count as such."""
_NAMED = 3
"""Names that a message gives: enough to find the others in the file."""
_MOST_LEVELS = 32
"""Levels of a name that are looked at: the deepest module of a real model has about twelve."""
_SCALES = re.compile(
    r"alphas?|(re)?scal(e|es|ed|ing|ar|ars|er|ers)|mult|multipliers?|strengths?|gates?|gating|gains?|factors?|"
    r"magnitudes?|dora|ratios?|coeffs?|coefs?|coefficients?|lambdas?|intensit(y|ies)|amplitudes?|weightings?|lbw"
)
"""Words for numbers by which a change is multiplied, be it that of one module or of all, and for tables of them."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""What is a word in the name of a number: `loraScale2` has two."""
_PLAIN = re.compile(r"[!-~]+")
"""Characters in the names of layers, whoever writes them: a name with others, be they invisible or those of another
script, may read as any layer's."""
_BETWEEN = re.compile(r"[^a-z0-9]+")
_ALIKE = str.maketrans("1i0", "llo")
"""Letters and digits that are taken for one another; folded on both sides, so that true names still agree."""


def is_a_scale(name: str) -> bool:
    """Return whether a tensor is called what a change is multiplied by."""
    return any(_SCALES.fullmatch(word.lower()) for word in _WORD.findall(name))


@dataclass(frozen=True)
class LivePaths:
    """The flattened paths of a base, of all its components: names are compared with each, whatever prefix they have."""

    layers: frozenset[str] = frozenset()
    """Modules that have weights."""
    parents: frozenset[str] = frozenset()
    """Modules that layers belong to, such as one attention: another name in one of them means a part of it."""
    lists: frozenset[str] = frozenset()
    """Rows of like blocks: another number in one of them is a block that the base does not have, and no part of it."""

    def hold(self, name: str) -> bool:
        """Return whether a name means a layer, or something in a layer or its parent, whatever stands around it."""
        plain = "_".join(word for word in _BETWEEN.split(name.casefold()) if word)
        return any(
            _deepest(words[start:], self._known) > _deepest(words[start:], self._rows)
            for words in map(_words, (plain, ldm_names.inside(plain)))
            for start in range(len(words))
            if words[start] in self._known
        )

    @cached_property
    def _known(self) -> "_Tree":
        return _tree(self.layers | self.parents)

    @cached_property
    def _rows(self) -> "_Tree":
        return _tree(self.lists)


_NOWHERE = LivePaths()


def unexpected_in_modules(adapter: Adapter, live: LivePaths = _NOWHERE) -> str | None:
    """Return the problem of tensors that are not understood, but change a module that is known; None without any.

    Known are the modules of the file and those of a `live` base. Such a module's change is only
    known in part, so that even one tensor is too many: a DoRA without its magnitudes is another model. The same goes
    for a second account of a module, for what is called a scale, and for a single number that is no whole one: it may
    be that of every module, whatever it is called.
    """
    named = [second.stem for _, second in adapter.twice]
    if adapter.unknown:
        paths = {module.path for module in adapter.modules} | live.layers
        tree = _tree(paths | {flatten("", module.stem) for module in adapter.modules})
        asked = adapter.unknown[:_ASKED]
        named += [
            entry.name
            for entry in asked
            if entry.is_a_number or _changes_one(entry.name, paths, tree) or live.hold(entry.name)
        ]
        named += [entry.name for entry in adapter.unknown[_ASKED:]]
    if not named:
        return None
    return (
        f"what {_some(map(shown, named))}{_more(len(named))} would change is not understood, though "
        "it may be a part of modules that are"
    )


def near_misses(unmatched: Iterable[AdapterModule], live: LivePaths) -> Iterator[AdapterModule]:
    """Yield the modules without a place in the base whose names hold that of a live module, or of its parent.

    They are a part or a variant of it, such as a wrapper's inner layer or a fused projection, and change what is there.
    """
    return (module for module in unmatched if live.hold(module.path))


def shown(name: str) -> str:
    """Return the name of a tensor as messages show it, so that none goes unseen."""
    return inert(name, 120) if name.strip() else f"a tensor called {inert(name, 20)!r}"


def _changes_one(name: str, paths: Collection[str], tree: "_Tree") -> bool:
    """Return whether a tensor of this name may change a module that is known."""
    return _PLAIN.fullmatch(name) is None or is_a_scale(name) or _means_one(name, paths, tree)


def _means_one(name: str, paths: Collection[str], tree: "_Tree") -> bool:
    """Return whether a name means something in or below a module, in any dialect, or holds a module's whole path."""
    stems = (name[: found.start()] for found in islice(re.finditer(r"\.", name), _MOST_LEVELS))
    places = map(place, (f"{stem}.weight" for stem in stems))
    return _mentions(flatten("", name), tree) or any(where is not None and where.path in paths for where in places)


_Tree = dict[str, "_Tree"]


def _tree(paths: Iterable[str]) -> _Tree:
    """Return the paths as nested tables of their words; an empty word ends a path."""
    root: _Tree = {}
    for path in paths:
        node = root
        for word in _words(path):
            node = node.setdefault(word, {})
        node[""] = {}
    return root


def _words(name: str) -> list[str]:
    """Return the words of a name, in which neither case nor what stands between them counts."""
    return [word for word in _BETWEEN.split(name.casefold().translate(_ALIKE)) if word]


def _mentions(name: str, tree: _Tree) -> bool:
    """Return whether a path of the tree occurs in a flattened name, whatever stands before and after it."""
    words = _words(name)
    return any(_begins_with_one(islice(words, start, None), tree) for start in range(len(words)))


def _begins_with_one(words: Iterator[str], tree: _Tree) -> bool:
    for word in words:
        if word not in tree:
            return False
        tree = tree[word]
        if "" in tree:
            return True
    return False


def _deepest(words: Sequence[str], tree: _Tree) -> int:
    """Return how many words the longest path of the tree has with which a name begins; 0 for none."""
    deepest = 0
    for count, word in enumerate(words, 1):
        if word not in tree:
            break
        tree = tree[word]
        deepest = count if "" in tree else deepest
    return deepest


def _some(names: Iterable[str]) -> str:
    return ", ".join(islice(names, _NAMED))


def _more(count: int) -> str:
    return f" and {count - _NAMED} more" if count > _NAMED else ""
