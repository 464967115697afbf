"""Where commands put things, and under which names."""

import os
import re
from pathlib import Path


def cache_folder(chosen: Path | None) -> Path:
    """Return where base results are kept: the option, $OWF_CACHE, or the user's cache folder."""
    if chosen is not None:
        return chosen
    if "OWF_CACHE" in os.environ:
        return Path(os.environ["OWF_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "owf"


def safe_name(text: str) -> str:
    """Return a name for files out of letters, digits, - and _; "lora" where nothing of the text is left."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:80].strip("_") or "lora"
