"""Where commands keep what the next run needs."""

import os
from pathlib import Path


def cache_folder(chosen: Path | None) -> Path:
    """Return where base results are kept: the option, $OWF_CACHE, or the user's cache folder."""
    if chosen is not None:
        return chosen
    if "OWF_CACHE" in os.environ:
        return Path(os.environ["OWF_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "owf"
