"""The options of `owf-audit`; importing it is cheap, so that --help answers at once."""

import argparse
from pathlib import Path

from ..core.datasets.dataset import all_datasets, layouts
from ..core.errors import UsageError
from ..core.families.prompt_form import ASKED_FORMS, AUTO
from ..core.metrics.images.network_names import FEATURES
from ..core.metrics.metric import all_metrics
from ..core.model.device import DEVICES, DISK, DTYPES
from ..core.model.memory import OFFLOADS, QUANTIZED, TILE
from ..core.plan.audit_plan import LOSSES, Stage
from ..core.plan.presets import METRICS, PRESETS
from ..core.plan.vocabulary import parse_words, read_words
from ..core.render.formats.format import all_formats, default_formats
from ..core.verdict.verdict import EXIT_CODES
from .numbers import eighths, finite, positive, seed, whole
from .paths import user_path

EPILOG = """exit codes: 0 PASS, 1 DRIFT, 2 usage error, 3 INCONCLUSIVE, 4 INVALID; of several LoRAs
the worst; with --demo 0 if each LoRA gets the verdict that it is there to show; 70 a bug,
130 interrupted, 141 nobody reads the output any more, 143 stopped by SIGTERM
other commands: owf-audit inspect FILE...  shows what is in a LoRA file without a base model;
owf-audit map LORA...  asks thousands of concepts which of them it damaged, and draws the worst;
owf-audit history, rejudge, merge, compare  read what runs over many LoRAs kept in their ledger;
owf-audit watch FOLDER  audits what appears in a folder, with the options of above"""


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
    _add_batch_options(top.add_argument_group("many LoRAs"))
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
        help="layout of --images (default: found)",
    )
    group.add_argument("--per-class", type=positive, metavar="N", help=f"labelled images per class ({_OF_PRESET})")
    group.add_argument(
        "--class-prompt",
        metavar="TEXT",
        help=f'prompt of a class, {{}} its name ("a blurry photo of {{}}"; {_OF_PRESET})',
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
        help="what the LoRAs were trained on, besides their trigger words; the metric map shows it apart",
    )
    group.add_argument("--skip", type=_metrics, default=(), metavar="METRIC,...", help="leave out some of the metrics")
    group.add_argument("--seed", type=seed, metavar="N", default=0, help="seed of all noise (default 0)")
    group.add_argument("--features", choices=FEATURES, help=f"feature network of kid ({_OF_PRESET})")
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


def _add_batch_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        default=1,
        help="processes that audit, each with a base of its own (default 1); 0 audits in this one, which a broken "
        "library or too little memory may end",
    )
    group.add_argument(
        "--time-limit",
        type=_seconds,
        metavar="SECONDS",
        help="longest that a LoRA may take, not counting the base's own work (default: none)",
    )
    group.add_argument("--retry", action="store_true", help="try again what took too long, crashed or lacked memory")
    group.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="audit the I-th of N parts, into a folder of its own below --out; owf-audit merge puts them together",
    )

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
        "--every",
        type=_seconds,
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


def _seconds(text: str) -> float:
    value = finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _shard(text: str) -> tuple[int, int]:
    try:
        part, parts = map(int, text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError("must look like 3/16") from None
    if not 1 <= part <= parts:
        raise argparse.ArgumentTypeError("must be a part from 1 to the number of parts, such as 3/16")
    return part, parts


def _stages(text: str) -> tuple[Stage, ...]:
    try:
        rounds = [[int(number) for number in part.split(":")] for part in text.split(",")]
        return tuple(Stage(samples, keep) for samples, keep in rounds)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must look like 50:5,500:1") from error


def _metrics(text: str) -> tuple[str, ...]:
    names, known = tuple(text.split(",")), [metric.name for metric in all_metrics()]
    if not set(names) <= set(known):
        raise argparse.ArgumentTypeError(f"must be a list of {', '.join(known)}, separated by commas")
    return names


def _words(text: str) -> tuple[str, ...]:
    """Return the words in a file of that name, if there is one, or in the text itself."""
    try:
        path = user_path(text)
        return read_words(path) if path.suffix == ".txt" or path.is_file() else parse_words(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _formats(text: str) -> tuple[str, ...]:
    names, known = tuple(text.split(",")), [format_.name for format_ in all_formats()]
    if not set(names) <= set(known):
        raise argparse.ArgumentTypeError(f"must be a list of {', '.join(known)}, separated by commas")
    return names
