"""HTML: a page per report, and one over all LoRAs of a call."""

from ..html.html import write_html
from ..html.overview.overview import write_overview
from .format import Format

FORMAT = Format(
    "html",
    "a page per report, and one over all LoRAs of a call",
    by_default=True,
    write_one=write_html,
    write_all=write_overview,
    least=2,
)
