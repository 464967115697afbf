"""What a long run tells whoever watches it."""

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of an audit; implementations draw a bar or write JSON lines."""

    def total(self, rows: int) -> None:
        """Learn how many UNet rows the whole run costs, and images to compare."""
        ...

    def stage(self, title: str) -> None:
        """Learn what is being done now."""
        ...

    def advance(self, rows: int) -> None:
        """Learn that `rows` were computed; 0 says only that it goes on. May raise to stop the run."""
        ...

    def skip(self, rows: int) -> None:
        """Learn that `rows` need not be computed: an earlier run or the cache has them."""
        ...


class Silent:
    """Progress that nobody watches."""

    def total(self, rows: int) -> None:
        """Ignore it."""

    def stage(self, title: str) -> None:
        """Ignore it."""

    def advance(self, rows: int) -> None:
        """Ignore it."""

    def skip(self, rows: int) -> None:
        """Ignore it."""
