"""What a limit is compared with: a number as it is, or the size of a change that may go either way. No torch."""

from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

from ..metrics.metric import quantity


class Judged(Protocol):
    """A limit, or what it said."""

    @property
    def estimate(self) -> str:
        """Return the name of the number."""
        ...

    @property
    def limit(self) -> float:
        """Return the largest harmless value."""
        ...


class WithInterval(Protocol):
    """A frozen number with the ends of its interval."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def value(self) -> float:
        """Return the number itself."""
        ...

    @property
    def low(self) -> float:
        """Return the interval's lower end."""
        ...

    @property
    def high(self) -> float:
        """Return the interval's upper end."""
        ...


Number = TypeVar("Number", bound=WithInterval)


def goes_either_way(estimate: str) -> bool:
    """Return whether an estimate of this name is a change whose both directions mean something."""
    known = quantity(estimate)
    return known is not None and bool(known.more)


def limits(judged: Judged) -> tuple[float, ...]:
    """Return where a limit lies: on both sides of zero for a change that goes either way."""
    return (-judged.limit, judged.limit) if goes_either_way(judged.estimate) else (judged.limit,)


def size(estimate: Number, name: str) -> Number:
    """Return an estimate as its limit sees it: of a change that goes either way, how far it went."""
    if not goes_either_way(name):
        return estimate
    nearest, farthest = sorted((abs(estimate.low), abs(estimate.high)))
    low = 0.0 if estimate.low <= 0 <= estimate.high else nearest
    return replace(estimate, value=abs(estimate.value), low=low, high=farthest)
