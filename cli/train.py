"""`owf-train`: parse, plan, train, audit."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..core.families import Recipe
from .command import CRASHED, INTERRUPTED, guarded, print_failure, quiet_libraries
from .training.arguments import parser
from .training.config import effective, read_config, write_config

USAGE = 2
"""Exit code of everything that the user can mend."""
_SET_BY_FAMILY = {"targets"}
_SET_BY_RECIPE = {field.name for field in fields(Recipe)}
_BASES = {"base", "demo_base"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 trained, 2 usage error, 70 a bug, 130 interrupted."""
    given = vars(parser().parse_args(argv))

    def fail(message: str, code: int) -> int:
        # Verdicts have no place here: whatever is no bug and no Ctrl-C is for the user to mend.
        code = code if code in (CRASHED, INTERRUPTED) else USAGE
        return print_failure("owf-train", given.get("progress", "auto"), message, code)

    with guarded(fail) as ending:
        values = _merged(given)
        plan, options = effective(values)
        if "save_config" in given:
            # What family and preset set is known with the base, and would be fixed if it stood in the file.
            set_later = _SET_BY_FAMILY | (_SET_BY_RECIPE if options.preset else set())
            write_config(given["save_config"], plan, options, set_later - set(values))
        elif "dry_run" in given:
            options.require_subject()
            quiet_libraries()
            from .training.dry_run import dry_run

            ending.code = dry_run(plan, options, frozenset(values))
        else:
            options.require_subject()
            quiet_libraries()
            from .training.session import TrainCommand

            command = TrainCommand(
                plan, options, frozenset(values), resume="resume" in given, overwrite="overwrite" in given
            )
            ending.code = command.run()
    return ending.code


def _merged(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return field name -> value of the file with the flags over it.

    A base on the command line replaces the file's, and a weight of dc whatever the file says of how it is set.
    """
    values = read_config(given["config"]) if "config" in given else {}
    if _BASES & set(given):
        values = {name: value for name, value in values.items() if name not in _BASES}
    if "dc_weight" in given:
        values.pop("dc_control", None)
    return {**values, **given}


if __name__ == "__main__":
    sys.exit(main())
