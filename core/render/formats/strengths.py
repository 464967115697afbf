"""The curves of LoRAs that a run audited at several strengths."""

from ..html.overview.strengths import NAME, write_strengths
from .format import Format

FORMAT = Format(
    "strengths", "of several strengths, a page of curves", by_default=True, write_run=write_strengths, run_file=NAME
)
