"""Errors that OWF raises on purpose: each says what to change, and carries its exit code."""


class OwfError(Exception):
    """A problem the user can act on; the command line prints its message without a traceback."""

    exit_code = 2


class UsageError(OwfError):
    """A wrong or missing option, file or setting; nothing was measured."""


class InvalidError(OwfError):
    """The measurement would be meaningless, so there is none."""

    exit_code = 4


class AdapterError(InvalidError):
    """A LoRA file that is broken, hostile, unsupported, or made for another base."""
