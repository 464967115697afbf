"""The options of `owf-audit` over many LoRAs; importing it is cheap, as of `arguments`."""

import argparse

from ...core.render.beside import KINDS
from ...core.verdict.verdict import EXIT_CODES
from .numbers import above_zero, finite, some_of, whole


def add_batch_options(group: argparse._ArgumentGroup) -> None:
    """Add the options of runs over many LoRAs."""
    _add_work_options(group)
    _add_answer_options(group)


def _add_work_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        default=1,
        help="processes that audit, each with a base of its own (default 1); 0 audits in this one, which a broken "
        "library or too little memory may end",
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let the --workers run on a Ray cluster (auto: the one of this machine; extra ray); LoRAs, base and --out "
        "lie where all its machines see them",
    )
    group.add_argument(
        "--ray-gpus",
        type=above_zero,
        metavar="X",
        help="GPUs that each of these gets, such as 0.5 (default 1 where the cluster has some)",
    )
    group.add_argument(
        "--time-limit",
        type=above_zero,
        metavar="SECONDS",
        help="longest that a LoRA may take, not counting the base's own work (default: none)",
    )
    group.add_argument(
        "--decide-early",
        action="store_true",
        help="measure what costs least first, and stop at a LoRA as soon as one limit is broken: the verdict is DRIFT "
        "then, whatever the rest would say, and the rest has no numbers",
    )
    group.add_argument("--retry", action="store_true", help="try again what took too long, crashed or lacked memory")
    group.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="audit the I-th of N parts, into a folder of its own below --out; owf-audit merge puts them together",
    )


def _add_answer_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--strengths",
        type=_strengths,
        metavar="X,...",
        help="audit each LoRA at each of these strengths instead, and say up to which it passes",
    )
    group.add_argument(
        "--fail-on",
        type=_decisions,
        metavar="VERDICT,...",
        help="verdicts that the exit code is to tell, such as drift,invalid; it is 0 for the others (default: all)",
    )
    group.add_argument(
        "--beside",
        type=_beside,
        metavar="WHAT,...",
        default=(),
        help="what to leave beside each x.safetensors, for programs that manage models: note, verdicts and numbers as "
        "x.owf.json; preview, the most changed pair as x.preview.png, where x has no picture yet",
    )
    group.add_argument(
        "--every",
        type=above_zero,
        metavar="SECONDS",
        default=10.0,
        help="of owf-audit watch: seconds between two looks into the folder (default 10)",
    )


def _strengths(text: str) -> tuple[float, ...]:
    found = tuple(dict.fromkeys(map(finite, text.split(","))))
    return tuple(sorted(found))


def _decisions(text: str) -> tuple[str, ...]:
    found, known = tuple(text.upper().split(",")), [name for name in EXIT_CODES if EXIT_CODES[name]]
    if not set(found) <= set(known):
        raise argparse.ArgumentTypeError(f"must be a list of {', '.join(known).lower()}, separated by commas")
    return found


def _workers(text: str) -> int:
    value = whole(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return value


def _shard(text: str) -> tuple[int, int]:
    try:
        part, parts = map(int, text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError("must look like 3/16") from None
    if not 1 <= part <= parts:
        raise argparse.ArgumentTypeError("must be a part from 1 to the number of parts, such as 3/16")
    return part, parts


def _beside(text: str) -> tuple[str, ...]:
    return some_of(KINDS, text)
