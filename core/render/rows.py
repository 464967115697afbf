"""How many rows of a table are shown before the reader asks for more."""

FIRST_ROWS = 20
"""Those that a reader takes in at a look."""


def first_rows(count: int) -> int:
    """Return how many of `count` rows are shown at first; a few more are not worth asking for."""
    return FIRST_ROWS if count > FIRST_ROWS + 5 else count
