"""What `owf-experiment` does with its options: the study, the dry run, and the run itself."""

import argparse
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import torch

from ..core import families
from ..core.disk.writable import require_writable
from ..core.errors import Setting, UsageError
from ..core.experiments.experiment import Experiment
from ..core.experiments.jobs.job import Job, Result
from ..core.experiments.jobs.runner import run_jobs
from ..core.experiments.jobs.study import Asked, Study, read_concepts, shipped_concepts
from ..core.experiments.lab.bench import Bench
from ..core.experiments.lab.foresee import described, foresee, trained_plans
from ..core.experiments.lab.kept import require_all_kept
from ..core.experiments.lab.workshop import Workshop
from ..core.experiments.page import write_block
from ..core.metrics.images.features import Fetching
from ..core.model.base import BaseChoice, choose_base
from ..core.model.blueprint import blueprint
from ..core.model.device import choose_device
from ..core.model.diffusion.batch import default_batching
from ..core.model.memory import Keeping
from ..core.model.names import base_names
from ..core.model.stored import dtype_of_base
from ..core.text import inert
from ..core.train.forecast.memory import Way
from ..core.train.plan import TrainPlan
from .arguments.paths import cache_folder
from .dry_run.experiment import Running, lines
from .dry_run.machine import base_lines
from .output.progress import progress_on
from .session import load_chosen

if TYPE_CHECKING:
    from rich.console import Console

RECIPE = "standard"
"""Recipe that an experiment's trainings follow where the user says nothing."""


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def _choice(options: argparse.Namespace) -> BaseChoice:
    return choose_base(options.base, "demo" if options.demo_base else None)


def study_of(options: argparse.Namespace, family: families.Family | None) -> Study:
    """Return what an experiment is made on; without a family only what was made before is looked at."""
    if family is None:
        name, concepts, plan = "", (), TrainPlan()
    else:
        name, plan = family.name, _plan(options, family)
        concepts = shipped_concepts(name) if options.concepts is None else read_concepts(options.concepts)
    asked = Asked(options.preset, options.images, options.dataset, options.per_class)
    people = tuple(options.reports), tuple(options.ratings)
    return Study(name, concepts, options.seeds, plan, asked, options.out, *people)


def _plan(options: argparse.Namespace, family: families.Family) -> TrainPlan:
    """Return plain training by the family's recipe, with what the user said."""
    recipe = dict(family.recipes).get(RECIPE)
    if recipe is None and options.steps is None:
        raise UsageError(f"There is no recipe for {family.title}: say the steps yourself.", Setting("steps"))
    plan = TrainPlan(class_word="thing", preserve=())
    plan = plan if recipe is None else replace(plan, **asdict(recipe))
    given = {name: getattr(options, name) for name in ("steps", "rank", "prior_images", "checkpointing")}
    return replace(plan, **{name: value for name, value in given.items() if value is not None})


def _keeping(options: argparse.Namespace) -> Keeping:
    return Keeping(options.offload, options.quantize)


def _jobs(experiment: Experiment, study: Study, options: argparse.Namespace) -> list[Job]:
    jobs = experiment.jobs(study)
    rows = list(dict.fromkeys(job.row for job in jobs))
    unknown = [row for row in options.only if row not in rows]
    if unknown:
        raise UsageError(f"There is no row {inert(unknown[0], 80)!r}; there are {', '.join(rows)}.", Setting("only"))
    return [job for job in jobs if not options.only or job.row in options.only]


def dry_run(experiment: Experiment, options: argparse.Namespace) -> int:
    """Print rows, time and memory; nothing is loaded."""
    console = _console()
    if not (options.base or options.demo_base):
        console.print("Nothing is trained or measured: reports are read.")
        return 0
    choice = _choice(options)
    base = blueprint(choice)
    _require_trained(base.family, choice)
    study = study_of(options, base.family)
    jobs, keeping = _jobs(experiment, study, options), _keeping(options)
    require_all_kept(jobs, keeping)
    found = foresee(study, jobs, base, base_names(choice))
    device = choose_device(options.device)
    here, on_cards = (dtype_of_base(options.dtype, place, choice) for place in (device, torch.device("cuda")))
    way = Way(keeping, options.checkpointing)
    running = Running(base, lambda: blueprint(choice), way, device, here, on_cards)
    console.print(f"{experiment.title}. {experiment.question}")
    with console.status("Counting what a step takes"):  # which takes a while for large bases
        costs = list(lines(found, trained_plans(study, jobs, base), running))
    for line in (*base_lines(base, choice), *described(found, study), *costs):
        console.print(line)
    return 0


def _require_trained(family: families.Family, choice: BaseChoice) -> None:
    """Raise UsageError for a base on which no training was shown to run."""
    if not family.trains:
        raise UsageError(
            f"{choice.path} is a base of {family.title}: LoRAs of it are audited, but none are trained on it yet, and "
            "experiments train.",
            Setting("base"),
        )


def _refuse_early(experiment: Experiment, options: argparse.Namespace, choice: BaseChoice) -> None:
    """Raise UsageError for what cannot be done on a base before it is loaded, as far as its configuration is here."""
    try:
        family = blueprint(choice).family
    except UsageError:  # it may be fetched yet; if not, loading says what is wrong with it
        return
    _require_trained(family, choice)
    require_all_kept(_jobs(experiment, study_of(options, family), options), _keeping(options))


def run(experiment: Experiment, options: argparse.Namespace) -> int:
    """Train and measure what is missing, and write the experiment's block into the page."""
    console = _console()
    require_writable(options.out, Setting("out"))
    if not (options.base or options.demo_base):
        study = study_of(options, None)
        results, made_on = [], "From reports that were made before." if experiment.needs_base else ""
    else:
        study, results, made_on = _measured(experiment, options, console)
    study.folder.mkdir(parents=True, exist_ok=True)
    findings = experiment.findings(study, results)
    page = options.page or options.out / "experiments.md"
    block = "-".join(filter(None, (experiment.name, options.dataset)))
    told = replace(findings, lines=(*filter(None, [made_on]), *findings.lines))
    write_block(page, f"owf-experiment {experiment.name}", block, experiment, told)
    for line in (*findings.lines, "", f"Written into {inert(str(page), 400)}."):
        console.print(line)
    return 0


def _measured(experiment: Experiment, options: argparse.Namespace, console: Any) -> tuple[Study, list[Result], str]:
    choice = _choice(options)
    _refuse_early(experiment, options, choice)
    keeping = _keeping(options)
    denoiser = load_chosen(choice, console, options.device, options.dtype, options.offline, keeping)
    family = families.get(denoiser.family)
    _require_trained(family, choice)
    study = study_of(options, family)
    jobs = _jobs(experiment, study, options)
    batch = default_batching(denoiser, takes_turns=keeping.takes_turns)
    if batch.workers > 1:
        torch.set_num_threads(1)

    def tell(done: int, total: int, result: Result) -> None:
        shown = ", ".join(f"{name} {result.numbers[name].value:.3g}" for name in _TOLD if name in result.numbers)
        console.print(f"{done}/{total} {result.row}, {result.concept}, seed {result.seed}: {shown}")

    bench = Bench(
        denoiser,
        tuple(base_names(choice)),
        batch,
        cache_folder(options.cache),
        Fetching(denoiser.device, options.offline),
        lambda: progress_on(console, options.progress),
        keeping,
    )
    results = run_jobs(jobs, Workshop(bench, study), study.folder, tell)
    plan = study.plan
    kept = "" if keeping.is_plain else f", {keeping.words()}"
    made_on = (
        f"Made on {inert(denoiser.name, 200)} ({family.title}{kept}), preset {options.preset}: LoRAs of rank "
        f"{plan.rank}, {plan.steps} steps of {plan.batch} pictures at a rate of {plan.rate:g}."
    )
    return study, results, made_on


_TOLD = ("fidelity", "accuracy_drop", "drift", "cdi")
"""Numbers that are said after each job."""
