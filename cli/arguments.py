"""The options of `owf-audit`; importing it is cheap, so that --help answers at once."""

import argparse
from pathlib import Path

from ..core.datasets.dataset import all_datasets, layouts
from ..core.families.prompt_form import ASKED_FORMS, AUTO
from ..core.metrics.images.network_names import FEATURES
from ..core.metrics.metric import all_metrics
from ..core.model.device import DEVICES, DTYPES
from ..core.plan.audit_plan import LOSSES, Stage
from ..core.plan.presets import METRICS, PRESETS
from ..core.render.formats.format import all_formats, default_formats
from .numbers import finite, positive, seed
from .paths import user_path

EPILOG = """exit codes: 0 PASS, 1 DRIFT, 2 usage error, 3 INCONCLUSIVE, 4 INVALID; of several LoRAs
the worst; with --demo 0 if each LoRA gets the verdict that it is there to show; 70 a bug,
130 interrupted, 141 nobody reads the output any more
other commands: owf-audit inspect FILE...  shows what is in a LoRA file without a base model"""


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
    group.add_argument("--resume", action="store_true", help="continue an interrupted run")
    group.add_argument(
        "--cache",
        type=user_path,
        metavar="FOLDER",
        help="where base results are kept (default: the user's cache folder)",
    )
    group.add_argument("--device", choices=DEVICES, default="auto")
    group.add_argument("--dtype", choices=DTYPES, default="auto")
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


def _formats(text: str) -> tuple[str, ...]:
    names, known = tuple(text.split(",")), [format_.name for format_ in all_formats()]
    if not set(names) <= set(known):
        raise argparse.ArgumentTypeError(f"must be a list of {', '.join(known)}, separated by commas")
    return names
