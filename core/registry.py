"""Records that describe things of one kind, each at the end of a file of its own: the folder is the registry."""

import importlib
import pkgutil
from collections.abc import Collection
from typing import Protocol, TypeVar


class Named(Protocol):
    """What can be registered."""

    @property
    def name(self) -> str:
        """Return what it is called on command lines and in reports."""
        ...


Record = TypeVar("Record", bound=Named)


def records(definer: str, attribute: str, kind: type[Record], helpers: Collection[str] = ()) -> tuple[Record, ...]:
    """Return what every file of a folder describes, sorted by name.

    `definer` is the `__name__` of the file that defines `kind`; `attribute` is what each of the others calls its
    record, except for `helpers`, which have none. Folders within are left alone.

    Raises ValueError for a file without a record, for a record that is not called like its file (an underscore at the
    end of a file's name keeps it apart from a module or word of Python), for two records of one name, and for a helper
    that is not there.
    """
    package, _, own = definer.rpartition(".")  # whatever a host calls the package that all of this lies in
    found: dict[str, Record] = {}
    modules = tuple(pkgutil.iter_modules(importlib.import_module(package).__path__))
    gone = set(helpers) - {module.name for module in modules}
    if gone:
        raise ValueError(f"{package} has no {', '.join(sorted(gone))}, said to be without a record")
    for module in modules:
        if module.ispkg or module.name == own or module.name in helpers:
            continue
        place = f"{package}.{module.name}"
        record = getattr(importlib.import_module(place), attribute, None)
        if not isinstance(record, kind):
            raise ValueError(f"{place} holds no {attribute} that is a {kind.__name__}")
        if record.name != module.name.rstrip("_"):
            raise ValueError(f"{place} holds the {attribute} of another name: {record.name!r}")
        if record.name in found:
            raise ValueError(f"two files of {package} hold the {attribute} {record.name!r}")
        found[record.name] = record
    return tuple(found[name] for name in sorted(found))
