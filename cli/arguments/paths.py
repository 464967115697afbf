"""Paths in what a user says: arguments of commands and variables of the environment."""

import argparse
import os
from pathlib import Path

from ...core.disk.places import cache_home, expanded
from ...core.errors import UsageError


def user_path(text: str) -> Path:
    """Return the path that an argument means, a leading ~ as the user's home; for `type=` of argparse."""
    try:
        return expanded(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def cache_folder(chosen: str | Path | None) -> Path:
    """Return where base results are kept: the option, $OWF_CACHE, or the user's cache folder."""
    if chosen:
        return expanded(chosen, "--cache")
    if os.environ.get("OWF_CACHE"):
        return expanded(os.environ["OWF_CACHE"], "OWF_CACHE")
    return cache_home() / "owf"
