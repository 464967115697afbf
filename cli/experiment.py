"""`owf-experiment NAME`: one of the paper's experiments or open questions, from pictures to its block in a page."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..core.datasets.dataset import all_datasets
from ..core.errors import Setting, UsageError
from ..core.experiments.experiment import Experiment, all_experiments, find_experiment
from ..core.model.device import DEVICES, DTYPES
from ..core.model.memory import QUANTIZED, TRAINING_OFFLOADS
from ..core.plan.presets import GLANCE, PRESETS
from .arguments.numbers import positive
from .arguments.paths import user_path
from .command import INTERRUPTED, guarded, print_failure, quiet_libraries
from .training.arguments import names

PROGRAM = "owf-experiment"
STOPPED = "Interrupted. The same command goes on from here."
EPILOG = """exit codes: 0 done, 2 usage error, 4 INVALID, 70 a bug, 130 interrupted

examples:
  owf-experiment table1 --demo-base --concepts concepts --dry-run
  owf-experiment frontier --base model.safetensors --concepts concepts --seeds 3
  owf-experiment table1 --base model.safetensors --concepts concepts --preset paper --dataset cifar10 --images data
  owf-experiment human --reports owf-reports
  owf-experiment human --reports owf-reports --ratings ratings-*.json"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(argv)

    def fail(message: str, code: int) -> int:
        return print_failure(PROGRAM, "", STOPPED if code == INTERRUPTED else message, code)

    with guarded(fail) as ending:
        experiment = find_experiment(options.name)
        _require_base(options, experiment)
        quiet_libraries()
        from .experimenting import dry_run, run

        ending.code = dry_run(experiment, options) if options.dry_run else run(experiment, options)
    return ending.code


def _require_base(options: argparse.Namespace, experiment: Experiment) -> None:
    if options.demo_base and options.base:
        raise UsageError("Both the demo base and another one are named: leave one out.", Setting("base"))
    of_people = [Setting(name) for name in ("reports", "ratings") if getattr(options, name)]
    if of_people and not experiment.asks_people:
        raise UsageError(f"The experiment {experiment.name} asks nobody.", *of_people)
    if experiment.needs_base and not (options.demo_base or options.base or of_people):
        raise UsageError("Name the base model.", Setting("base"), Setting("demo_base"))


def parser() -> argparse.ArgumentParser:
    """Return the parser of `owf-experiment`."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Make one of the paper's experiments, or answer one of its open questions: "
        + "; ".join(f"{one.name}: {one.title}" for one in all_experiments())
        + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = tuple(experiment.name for experiment in all_experiments())
    top.add_argument("name", choices=known, metavar="NAME", help=", ".join(known))
    _add_subject(top.add_argument_group("what it is made on"))
    _add_training(top.add_argument_group("trainings; where nothing is said, the recipe of the base's family"))
    _add_audit(top.add_argument_group("what every LoRA is asked"))
    _add_run(top.add_argument_group("how it runs"))
    return top


def _add_subject(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--base", metavar="PATH_OR_ID", help="diffusers folder, hub id, or .safetensors checkpoint")
    group.add_argument("--demo-base", action="store_true", help="the small base model that ships with the project")
    group.add_argument(
        "--concepts",
        type=user_path,
        metavar="FOLDER",
        help="one folder of pictures per concept, called after its class, such as dog or coffee_mug-2; the pictures in "
        "it, or in train in it with others in held_out (default: what ships for the base)",
    )
    group.add_argument("--seeds", type=positive, metavar="N", default=1, help="repetitions of a training (default 1)")
    group.add_argument(
        "--reports", type=user_path, nargs="+", metavar="FOLDER", default=[], help="of human: reports that are shown"
    )
    group.add_argument(
        "--ratings", type=user_path, nargs="+", metavar="JSON", default=[], help="of human: what people answered"
    )


def _add_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--steps", type=positive, metavar="N", help="optimizer steps")
    group.add_argument("--rank", type=positive, metavar="N", help="rank of the change")
    group.add_argument("--prior-images", type=positive, metavar="N", help="pictures of the class for the term prior")
    group.add_argument(
        "--checkpointing",
        action="store_true",
        help="recompute activations in the backward pass: less memory, a third slower",
    )


def _add_audit(group: argparse._ArgumentGroup) -> None:
    presets = tuple(name for name in PRESETS if name != GLANCE)  # experiments name their metrics: to them it is quick
    group.add_argument("--preset", choices=presets, default="quick", help="how much is measured (default quick)")
    group.add_argument("--images", type=user_path, metavar="FOLDER", help="labelled images; see docs/datasets.md")
    group.add_argument("--dataset", choices=tuple(d.name for d in all_datasets()), default="", help="their layout")
    group.add_argument("--per-class", type=positive, metavar="N", default=0, help="labelled images per class")


def _add_run(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--dry-run", action="store_true", help="load nothing; say rows, time and memory, here and on cards"
    )
    group.add_argument(
        "--out",
        type=user_path,
        metavar="FOLDER",
        default=Path("owf-experiments"),
        help="LoRAs, reports and results, all of which the same command takes up again (default owf-experiments)",
    )
    group.add_argument(
        "--page",
        type=user_path,
        metavar="FILE",
        help="Markdown page whose block is written (default: experiments.md in --out; docs/experiments.md is this "
        "project's own)",
    )
    group.add_argument("--only", type=names, metavar="ROW,...", default=(), help="some rows, for a first look")
    group.add_argument(
        "--cache", type=user_path, metavar="FOLDER", help="where the base's drawings and answers are kept"
    )
    group.add_argument("--offline", action="store_true", help="never fetch anything")
    group.add_argument("--device", choices=DEVICES, default="auto", help="where the model runs (default auto)")
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        default="auto",
        help="type of the weights: auto is float16 on GPUs and float32 on the CPU",
    )
    group.add_argument(
        "--offload",
        choices=TRAINING_OFFLOADS,
        default="none",
        help="model: text encoders and VAE wait in main memory while the denoiser trains, and each part while another "
        "is asked; LoRAs are applied beside the weights",
    )
    group.add_argument(
        "--quantize",
        choices=QUANTIZED,
        default="none",
        help="round the base's linear layers, which stay frozen (QLoRA): another base, whose results are kept apart; "
        "needs owf[quantize], and LoRAs are applied beside the weights",
    )
    group.add_argument(
        "--progress", choices=("auto", "bar", "none"), default="auto", help="auto draws a bar on a terminal"
    )


if __name__ == "__main__":
    sys.exit(main())
