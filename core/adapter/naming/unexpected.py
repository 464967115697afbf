"""Tensors and modules that have no place, but whose names say that they change a module that has one."""

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from ...text import inert
from ..adapter import Adapter
from ..module import AdapterModule
from .names import flatten, place

_ASKED = 200
"""Unknown tensors that are compared with module names; no sound file has more, so that further ones count as such."""
_NAMED = 3
_MOST_LEVELS = 32
"""Levels of a name that are looked at: the deepest module of a real model has about twelve."""
_SCALES = re.compile(
    r"(.*[._])?(alpha|(re)?scale|scaling|multiplier|strength|gate|magnitude(_vector(\.weight)?)?)s?",
    re.IGNORECASE | re.DOTALL,
)
"""Names that end as numbers do by which a change is multiplied, be it that of one module or of all."""
_PLAIN = re.compile(r"[!-~]+")
"""Characters in the names of layers, whoever writes them: a name with others, be they invisible or those of another
script, may read as any layer's."""
_BETWEEN = re.compile(r"[^a-z0-9]+")
_ALIKE = str.maketrans("1i0", "llo")
"""Letters and digits that are taken for one another; folded on both sides, so that true names still agree."""


def is_a_scale(name: str) -> bool:
    """Return whether a tensor is called what a change is multiplied by."""
    return _SCALES.fullmatch(name) is not None


def unexpected_in_modules(adapter: Adapter, live: Iterable[str] = ()) -> str | None:
    """Return the problem of tensors that are not understood, but change a module that is known; None without any.

    Known are the modules of the file and, by flattened path, those of a `live` base. Such a module's change is only
    known in part, so that even one tensor is too many: a DoRA without its magnitudes is another model. The same goes
    for a second account of a module, and for what is called a scale: it may be that of every module.
    """
    named = [second.stem for _, second in adapter.twice]
    if adapter.unknown:
        paths = {module.path for module in adapter.modules} | set(live)
        tree = _tree(paths | {flatten("", module.stem) for module in adapter.modules})
        asked = adapter.unknown[:_ASKED]
        named += [entry.name for entry in asked if _changes_one(entry.name, paths, tree)]
        named += [entry.name for entry in adapter.unknown[_ASKED:]]
    if not named:
        return None
    return (
        f"what {_some(inert(name, 120) for name in named)}{_more(len(named))} would change is not understood, though "
        "it may be a part of modules that are"
    )


def near_misses(unmatched: Iterable[AdapterModule], live: Collection[str]) -> Iterator[AdapterModule]:
    """Yield the modules without a place in the base whose names hold the whole path of a `live` module.

    They are a part or a variant of it, such as a wrapper's inner layer, and change what is there.
    """
    tree = _tree(live)
    return (module for module in unmatched if _mentions(module.path, tree))


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


def _some(names: Iterable[str]) -> str:
    return ", ".join(islice(names, _NAMED))


def _more(count: int) -> str:
    return f" and {count - _NAMED} more" if count > _NAMED else ""
