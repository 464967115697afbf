"""Where commands keep what the next run needs."""

import os
from pathlib import Path

from ..core.disk.places import cache_home, expanded


def cache_folder(chosen: str | Path | None) -> Path:
    """Return where base results are kept: the option, $OWF_CACHE, or the user's cache folder."""
    if chosen:
        return expanded(chosen, "--cache")
    if os.environ.get("OWF_CACHE"):
        return expanded(os.environ["OWF_CACHE"], "OWF_CACHE")
    return cache_home("--cache") / "owf"
