"""The options of `owf-audit` that say what is measured; importing it is cheap, as of `arguments`."""

import argparse
from pathlib import Path

from ...core.datasets.dataset import all_datasets, layouts
from ...core.errors import Setting, UsageError
from ...core.families.prompt_form import ASKED_FORMS, AUTO
from ...core.metrics.images.network_names import FEATURES
from ...core.metrics.metric import all_metrics
from ...core.plan.audit_plan import LOSSES, Stage
from ...core.plan.presets import GLANCE, METRICS, PRESETS, preset_metrics
from ...core.plan.vocabulary import parse_words, read_words
from .numbers import positive, seed, some_of
from .paths import user_path

_OF_PRESET = "default: the preset's"


def add_plan_options(group: argparse._ArgumentGroup) -> None:
    """Add the options that change what is asked."""
    group.add_argument("--preset", choices=tuple(PRESETS), default="quick", help="how much is measured (default quick)")
    group.add_argument(
        "--prompt-form",
        choices=ASKED_FORMS,
        default=AUTO,
        help="language of the prompts; auto: tags for Pony, Illustrious, NoobAI and their like, else sentences",
    )
    _add_classifier_options(group)
    _add_metric_options(group)
    group.add_argument(
        "--resolution",
        type=positive,
        metavar="N",
        help="side in pixels of the pictures that are asked about (default: what the base was made for; with glance "
        "and quick, 512 for FLUX.1, FLUX.2 klein and Z-Image)",
    )
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


def measured(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the metrics that the options leave; raise UsageError where that is none."""
    metrics = options.metrics or preset_metrics(options.preset)
    left = tuple(metric for metric in metrics if metric not in options.skip)
    if not left:
        raise UsageError("Nothing is left to measure.", Setting("metrics"), Setting("skip"))
    return left


def _add_classifier_options(group: argparse._ArgumentGroup) -> None:
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


def _add_metric_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--metrics",
        type=_metrics,
        default=(),
        metavar="METRIC,...",
        help=f"some of {', '.join(metric.name for metric in all_metrics())} (default {','.join(METRICS)}; of glance, "
        f"{','.join(preset_metrics(GLANCE))})",
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
