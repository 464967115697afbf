"""Asks for a place by a function of `places` and a name, and returns why there is none."""

from walk import ARGUMENTS, answer, pack

function, name = ARGUMENTS
try:
    getattr(pack("nodes.backend.places"), function)(name)
except pack("core.errors").UsageError as error:
    answer(said=str(error))
