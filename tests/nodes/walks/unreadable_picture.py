"""Reads a picture that is none."""

from pathlib import Path

from walk import ARGUMENTS, answer, pack

try:
    pack("nodes.backend.images").read_pictures([Path(ARGUMENTS[0])])
except pack("core.errors").UsageError as error:
    answer(said=str(error))
