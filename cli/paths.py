"""Paths among the arguments of commands."""

import argparse
from pathlib import Path

from ..core.disk.places import expanded
from ..core.errors import UsageError


def user_path(text: str) -> Path:
    """Return the path that an argument means, a leading ~ as the user's home; for `type=` of argparse."""
    try:
        return expanded(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
