"""A Progress that keeps what it hears."""

from owf.core.progress import Progress


class Heard(Progress):
    """The length, and lists of the rows of each advance and of (done, total) of each part."""

    def __init__(self) -> None:
        self.length = 0
        self.rows: list[int] = []
        self.parts: list[tuple[int, int | None]] = []

    def total(self, rows: int) -> None:
        self.length = rows

    def advance(self, rows: int) -> None:
        self.rows.append(rows)

    def part(self, done: int, total: int | None) -> None:
        self.parts.append((done, total))
