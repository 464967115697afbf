"""The leaderboard: one page over all rows of a run's ledger, to sort and to search, thousands of them."""

from ..html.overview.leaderboard import NAME, write_leaderboard
from .format import Format

FORMAT = Format(
    "leaderboard",
    "a page over all LoRAs of a run, to sort and search",
    by_default=True,
    write_run=write_leaderboard,
    run_file=NAME,
)
