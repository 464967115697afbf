"""The options of `owf-audit`; importing it is cheap, so that --help answers at once."""

import argparse
import math
import os
from pathlib import Path

from ...core.disk.places import CACHE_LIMIT
from ...core.errors import UsageError
from ...core.model.device import DEVICES, DISK, DTYPES
from ...core.model.memory import OFFLOADS, QUANTIZED, TILE
from ...core.render.formats.format import all_formats, chosen_formats, default_formats
from ..output.wording import worded
from .batch_arguments import add_batch_options
from .numbers import above_zero, eighths, finite, number, positive, some_of
from .paths import user_path
from .plan_arguments import add_plan_options

EPILOG = """exit codes: 0 PASS, 1 DRIFT, 2 usage error, 3 INCONCLUSIVE, 4 INVALID; of several LoRAs
the worst; with --demo 0 if each LoRA gets the verdict that it is there to show; 70 a bug,
130 interrupted, 141 nobody reads the output any more, 143 stopped by SIGTERM
other commands: owf-audit inspect FILE...  shows what is in a LoRA file without a base model;
owf-audit map LORA...  asks thousands of concepts which of them it damaged, and draws the worst;
owf-audit history, rejudge, merge, compare  read what runs over many LoRAs kept in their ledger;
owf-audit watch FOLDER  audits what appears in a folder, with the options of above;
owf-audit base list, export, import  shows what is kept of bases, and moves it to another machine"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of `owf-audit`."""
    top = argparse.ArgumentParser(
        prog="owf-audit",
        description="Measure what a LoRA made its base model forget: PASS, DRIFT, INCONCLUSIVE or INVALID.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("loras", nargs="*", type=user_path, metavar="LORA", help="LoRA files, or folders of them")
    top.add_argument("--allow-pickle", action="store_true", help="also read .pt, .ckpt and .bin files named one by one")
    top.add_argument(
        "--demo",
        action="store_true",
        help="audit the two LoRAs that ship with the demo base: one is to be DRIFT, one PASS",
    )
    _add_model_options(top.add_argument_group("base model"))
    add_plan_options(top.add_argument_group("what is measured"))
    _add_run_options(top.add_argument_group("how it runs"))
    add_batch_options(top.add_argument_group("many LoRAs"))
    return top


def _add_model_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--base",
        metavar="PATH_OR_ID",
        help="diffusers folder, hub id, or .safetensors checkpoint (default: by the LoRA's family, from [bases] in "
        "config.toml, the local hub cache, then the hub); auto: the checkpoint that the LoRA names, if it is in "
        "checkpoints of [folders] there",
    )
    group.add_argument(
        "--clip-skip",
        type=positive,
        metavar="N",
        help="layer of the text encoder, counted from its last, at which prompts are read (default: 2 for anime bases "
        "of Stable Diffusion 1.5, told by their names, else 1)",
    )
    group.add_argument("--offline", action="store_true", help="never fetch anything")
    group.add_argument("--strength", type=finite, metavar="X", default=1.0, help="strength of the LoRA (default 1.0)")

    group.add_argument(
        "--with",
        dest="below",
        type=_stacked,
        action="append",
        metavar="LORA:STRENGTH",
        default=[],
        help="audit each LoRA together with this one, and with more if it is given again: all of them against the base",
    )


def _add_run_options(group: argparse._ArgumentGroup) -> None:
    _add_output_options(group)
    _add_device_options(group)
    group.add_argument(
        "--progress",
        choices=("auto", "bar", "json", "none"),
        default="auto",
        help="auto draws a bar on a terminal; json writes a line per step to stdout",
    )


def _add_output_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--out",
        type=user_path,
        metavar="FOLDER",
        default=Path("owf-reports"),
        help="output folder (default owf-reports)",
    )
    group.add_argument(
        "--write",
        type=_formats,
        default=default_formats(),
        metavar="FORMAT,...",
        help="; ".join(f"{f.name}: {f.holds}" for f in all_formats()) + f" (default {','.join(default_formats())})",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="load nothing; say what would be asked, and about how long it takes and how much memory, here and on "
        "cards of 8, 12 and 24 GB",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted run, or show the report that is there; of several LoRAs every run does",
    )
    group.add_argument(
        "--cache",
        type=user_path,
        metavar="FOLDER",
        help="where base results are kept (default: the user's cache folder)",
    )
    group.add_argument(
        "--cache-size",
        type=_gigabytes,
        metavar="GB",
        dest="cache_limit",
        default=CACHE_LIMIT,
        help=f"what results may take there; those used longest ago are given up (default {CACHE_LIMIT / 1e9:g})",
    )


def _add_device_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", choices=DEVICES, default="auto", help="where the model runs (default auto)")
    group.add_argument(
        "--dtype",
        choices=(*DTYPES, DISK),
        default="auto",
        help="type of the weights: auto is float16 on GPUs and float32 on the CPU; disk that in which they are saved",
    )
    group.add_argument(
        "--offload",
        choices=OFFLOADS,
        default="none",
        help="weights that wait in main memory until they are asked: none, every part but one, or every layer but one; "
        "saves memory of the GPU, and the LoRA is applied beside the weights",
    )
    group.add_argument(
        "--quantize",
        choices=QUANTIZED,
        default="none",
        help="round the linear layers of the base, as hosts do on small cards; needs owf[quantize], and the LoRA is "
        "applied beside the weights",
    )
    group.add_argument(
        "--vae-tile",
        type=eighths,
        metavar="PX",
        help=f"side of the tiles in which the VAE works, such as {TILE}: saves memory, changes images a little",
    )
    group.add_argument(
        "--batch",
        type=positive,
        metavar="N",
        help="rows of the denoiser at once (default: chosen, halved if memory runs out)",
    )


def _gigabytes(text: str) -> int:
    return int(above_zero(text) * 1e9)


def _stacked(text: str) -> tuple[Path, float]:
    """Return file and strength in an argument, such as `other.safetensors:0.6`; 1 without a strength."""
    whole = user_path(text)
    path, colon, strength = text.rpartition(":")
    if not colon or os.path.exists(whole):  # noqa: PTH110 - Path's own raises for a name that is too long
        return whole, 1.0
    try:
        given = number(strength)
    except argparse.ArgumentTypeError:  # a colon of the path itself, as of a Windows drive
        return whole, 1.0
    if not math.isfinite(given):
        raise argparse.ArgumentTypeError("must end in a finite strength, such as other.safetensors:0.6")
    return user_path(path), given


def _formats(text: str) -> tuple[str, ...]:
    names = some_of([format_.name for format_ in all_formats()], text)
    try:
        chosen_formats(names)
    except UsageError as error:  # now, and not when there is something to write
        raise argparse.ArgumentTypeError(worded(error)) from error
    return names
