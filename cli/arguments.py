"""The options of `owf-audit`; importing it is cheap, so that --help answers at once."""

import argparse
import os
from pathlib import Path

from ..core.datasets.dataset import all_datasets, layouts
from ..core.disk.places import CACHE_LIMIT
from ..core.errors import UsageError
from ..core.families.prompt_form import ASKED_FORMS, AUTO
from ..core.metrics.images.network_names import FEATURES
from ..core.metrics.metric import all_metrics
from ..core.model.device import DEVICES, DISK, DTYPES
from ..core.model.memory import OFFLOADS, QUANTIZED, TILE
from ..core.plan.audit_plan import LOSSES, Stage
from ..core.plan.presets import METRICS, PRESETS
from ..core.plan.vocabulary import parse_words, read_words
from ..core.render.formats.format import all_formats, chosen_formats, default_formats
from .batch_arguments import add_batch_options
from .numbers import above_zero, eighths, finite, positive, seed, some_of
from .paths import user_path
from .wording import worded

EPILOG = """exit codes: 0 PASS, 1 DRIFT, 2 usage error, 3 INCONCLUSIVE, 4 INVALID; of several LoRAs
the worst; with --demo 0 if each LoRA gets the verdict that it is there to show; 70 a bug,
130 interrupted, 141 nobody reads the output any more, 143 stopped by SIGTERM
other commands: owf-audit inspect FILE...  shows what is in a LoRA file without a base model;
owf-audit map LORA...  asks thousands of concepts which of them it damaged, and draws the worst;
owf-audit history, rejudge, merge, compare  read what runs over many LoRAs kept in their ledger;
owf-audit watch FOLDER  audits what appears in a folder, with the options of above;
owf-audit base list, export, import  shows what is kept of bases, and moves it to another machine"""


_OF_PRESET = "default: the preset's"


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
    _add_plan_options(top.add_argument_group("what is measured"))
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


def _add_plan_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--preset", choices=tuple(PRESETS), default="quick", help="how much is measured (default quick)")
    group.add_argument(
        "--prompt-form",
        choices=ASKED_FORMS,
        default=AUTO,
        help="language of the prompts; auto: tags for Pony, Illustrious, NoobAI and their like, else sentences",
    )
    group.add_argument("--images", type=user_path, metavar="FOLDER", help=f"labelled images: {layouts()}")
    group.add_argument(
        "--dataset",
        choices=tuple(d.name for d in all_datasets()),
        default="",
        help="layout of --images (default: found); with --preset paper, published sets are asked as the Diffusion "
        "Classifier's authors do",
    )
    group.add_argument("--per-class", type=positive, metavar="N", help=f"labelled images per class ({_OF_PRESET})")
    group.add_argument(
        "--class-prompt",
        metavar="TEXT",
        help='prompt of a class, {} its name with article, {name} without ("a blurry photo of {}"; default: the '
        "data set's or preset's)",
    )
    group.add_argument(
        "--stages",
        type=_stages,
        metavar="T:KEEP,...",
        help=f"rounds of the classifier: timesteps seen and classes kept, such as 50:5,500:1 ({_OF_PRESET})",
    )
    group.add_argument("--loss", choices=LOSSES, help=f"denoising error of the classifier ({_OF_PRESET})")
    group.add_argument(
        "--metrics",
        type=_metrics,
        default=METRICS,
        metavar="METRIC,...",
        help=f"some of {', '.join(metric.name for metric in all_metrics())} (default {','.join(METRICS)})",
    )
    group.add_argument(
        "--words",
        type=_words,
        default=(),
        metavar="FILE_OR_LIST",
        help='what the metric map asks instead of its vocabulary: a text file, one a line, or "red car,my dog"',
    )
    group.add_argument(
        "--concept",
        type=_words,
        default=(),
        metavar="WORDS",
        help="what the LoRAs were trained on, besides their trigger words; the metric map shows it apart, and with "
        "--references it is what they are asked for",
    )
    group.add_argument(
        "--references",
        type=user_path,
        metavar="FOLDER",
        help="pictures of what the LoRAs were trained on: how like them is what they draw, and is it copied?",
    )
    group.add_argument("--skip", type=_metrics, default=(), metavar="METRIC,...", help="leave out some of the metrics")
    group.add_argument("--seed", type=seed, metavar="N", default=0, help="seed of all noise (default 0)")
    group.add_argument(
        "--features",
        type=_features,
        metavar="NETWORK",
        help=f"feature network of kid: {', '.join(FEATURES)}, or open_clip:MODEL/TAG ({_OF_PRESET})",
    )
    group.add_argument(
        "--open-clip",
        metavar="MODEL/TAG",
        help="network of open_clip, such as ViT-B-16-SigLIP/webli, by which clip_i, clip_t and diversity compare "
        "instead of CLIP ViT-B/32; needs owf[metrics]",
    )
    group.add_argument("--policy", type=user_path, metavar="TOML", help="limits of the verdict (default: built in)")


def _add_run_options(group: argparse._ArgumentGroup) -> None:
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
        help=f"what base results may take there; those used longest ago are given up (default {CACHE_LIMIT / 1e9:g})",
    )
    group.add_argument("--device", choices=DEVICES, default="auto")
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
        help="UNet rows at once (default: chosen, halved if memory runs out)",
    )
    group.add_argument(
        "--progress",
        choices=("auto", "bar", "json", "none"),
        default="auto",
        help="auto draws a bar on a terminal; json writes a line per step to stdout",
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
        return user_path(path), finite(strength)
    except argparse.ArgumentTypeError:  # a colon of the path itself, as of a Windows drive
        return whole, 1.0


def _stages(text: str) -> tuple[Stage, ...]:
    try:
        rounds = [[int(number) for number in part.split(":")] for part in text.split(",")]
        return tuple(Stage(samples, keep) for samples, keep in rounds)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must look like 50:5,500:1") from error


def _features(text: str) -> str:
    if text not in FEATURES and not text.startswith("open_clip:"):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(FEATURES)}, or open_clip:MODEL/TAG")
    return text


def _metrics(text: str) -> tuple[str, ...]:
    return some_of([metric.name for metric in all_metrics()], text)


def _words(text: str) -> tuple[str, ...]:
    """Return the words in a file of that name, if there is one, or in the text itself."""
    try:
        path = user_path(text)
        return read_words(path) if path.suffix == ".txt" or _is_file(path) else parse_words(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a list of words is longer than any name of a file
        return False


def _formats(text: str) -> tuple[str, ...]:
    names = some_of([format_.name for format_ in all_formats()], text)
    try:
        chosen_formats(names)
    except UsageError as error:  # now, and not when there is something to write
        raise argparse.ArgumentTypeError(worded(error)) from error
    return names
