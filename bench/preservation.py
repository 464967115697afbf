"""What preserves the base, and what it costs the concept, at equal learning: every preservation term on the demo base.

    python bench/preservation.py [--work DIR] [--workers 2] [--device cuda]

Every method teaches four concepts with three seeds in trainings of several lengths: a curve of what was lost against
what was learned, as a judge sees it that is no part of the product (bench/demo_base/judging/judge.py). Methods are
compared where they have learned equally. Before that, each fixed weight is chosen on a fifth concept. Every finished
run is kept in the work folder, so an interrupted bench continues. Writes the tables and pictures of
docs/preservation.md. Needs Fashion-MNIST (Debian: dataset-fashion-mnist), of which the concepts are made.
"""

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from owf.core.experiments.page import fill_block
from preserving.concepts import CONCEPTS, TUNING
from preserving.preservation_report import (
    budget_table,
    chosen_weights,
    concept_table,
    draw_curves,
    draw_pictures,
    equal_table,
    frontier_table,
    runs_table,
    tuning_table,
)
from preserving.preservation_run import METHODS, Job, Worker, run_file

SEEDS = 3
"""Of every method, concept and length: twelve runs of each, enough for an interval."""
STEPS = (200, 400, 800)
"""Lengths of training. Each is a training of its own, for a weight that is found while training depends on it."""
PAGE, COMMAND = "preservation.md", "bench/preservation.py"

FRONTIER = {
    "every step, as many rows": {},
    "half the rows": {"preserve_rows": 2},
    "every second step": {"preserve_every": 2},
    "every fourth step": {"preserve_every": 4},
    "256 cached predictions": {"teacher_cache": 256},
    "256 cached predictions, every second step": {"teacher_cache": 256, "preserve_every": 2},
    "256 cached predictions, half the rows": {"teacher_cache": 256, "preserve_rows": 2},
    "matching captions only": {"mismatch": 0.0},
}
"""Cheaper forms of dc -> options; the batch has four concept rows."""

BUDGETS = (0.002, 0.005, 0.01)
"""Drift that `--drift-budget` is asked to end at or below."""


def tuning_jobs(methods: Sequence[str]) -> list[Job]:
    """Return every weight of the methods whose weight is fixed, on the concept that is for it."""
    return [Job(method, TUNING.word, 0, STEPS[1], weight) for method in methods for weight in METHODS[method].weights]


def curve_jobs(methods: Sequence[str], weights: dict[str, float], concepts: Sequence, seeds: int) -> list[Job]:
    """Return every method on every concept with every seed in every length, one seed after the other."""
    return [
        Job(method, concept.word, seed, steps, weights.get(method, 1.0))
        for seed in range(seeds)
        for concept in concepts
        for method in methods
        for steps in STEPS
    ]


def frontier_jobs(weight: float) -> list[Job]:
    """Return dc at a fixed weight in every cheaper form, on every concept with one seed."""
    forms = [tuple(options.items()) for options in FRONTIER.values()]
    return [Job("dc, fixed", c.word, 0, STEPS[1], weight, form) for form in forms for c in CONCEPTS]


def budget_jobs() -> list[Job]:
    """Return dc under every budget, on every concept with one seed; the weight starts at 1."""
    forms = [(("drift_budget", budget), ("drift_every", 25)) for budget in BUDGETS]
    return [Job("dc, fixed", c.word, 0, STEPS[1], 1.0, form) for form in forms for c in CONCEPTS]


_worker: Worker | None = None


def _start(work: Path, device: str) -> None:
    global _worker
    _worker = Worker(work, device)


def _run(job: Job) -> dict:
    assert _worker is not None
    return _worker.run(job)


def run_jobs(jobs: list[Job], options: argparse.Namespace) -> list[dict]:
    """Return the results of all jobs, in their order; those that were run before are read."""
    start, results = time.monotonic(), {}
    there = {job.key for job in jobs if run_file(options.work, job).exists()}
    with multiprocessing.get_context("spawn").Pool(options.workers, _start, (options.work, options.device)) as pool:
        for done, result in enumerate(pool.imap_unordered(_run, jobs), 1):
            results[result["key"]] = result
            made = len(results.keys() - there)
            left = len(jobs) - done - len(there - results.keys())
            eta = (time.monotonic() - start) / max(1, made) * left / 60
            print(
                f"{done}/{len(jobs)} {result['method']} {result['concept']} seed {result['seed']} "
                f"{result['steps']} steps, weight {result['weight']:g}: learned {100 * result['learned']:.0f} %, "
                f"drop {100 * result['drop']:.0f} points, drift {100 * result['drift']:.2f} %; ETA {eta:.0f} min",
                flush=True,
            )
    return [results[job.key] for job in jobs]


def time_step(worker: Worker, job: Job, steps: int = 40) -> float:
    """Return the mean seconds per step of a short training, from its first step's end; what a step saves by a fixed
    set of predictions is in it, making the set is not.
    """
    return worker.train(replace(job, steps=steps, seed=99))["seconds_per_step"]


def frontier_costs(work: Path, device: str, weight: float) -> dict[str, float]:
    """Return each variant's time per step by plain training's, timed in turn in this process, three rounds."""
    worker = Worker(work, device)
    jobs = {n: Job("dc, fixed", TUNING.word, 0, 0, weight, tuple(options.items())) for n, options in FRONTIER.items()}
    plain = {"plain": Job("none", TUNING.word, 0, 0)}
    rounds = [{name: time_step(worker, job) for name, job in (plain | jobs).items()} for _ in range(3)]
    return {name: statistics.median(r[name] / r["plain"] for r in rounds) for name in jobs}


def report_curves(tuned: list[dict], weights: dict[str, float], results: list[dict], work: Path, out: Path) -> None:
    """Write what the methods lose at equal learning into the page, with curves and pictures."""
    page = out / PAGE
    draw_curves(results, out / "preservation.png")
    draw_pictures(results, work / "pictures", out)
    concepts = dict.fromkeys(run["concept"] for run in results)
    for name, lines in (
        ("results", equal_table(results)),
        ("curves", ["![accuracy lost against concept learned](preservation.png)"]),
        ("pictures", [f"![{concept}](preservation-{concept}.png)" for concept in concepts]),
        ("concepts", concept_table(results)),
        ("runs", runs_table(results)),
        ("tuning", tuning_table(tuned, weights)),
    ):
        fill_block(page, COMMAND, name, lines)


def report_price(plain: list[dict], weight: float, options: argparse.Namespace) -> None:
    """Write what cheaper forms of dc and drift budgets do into the page."""
    page = options.out / PAGE
    held = run_jobs(budget_jobs(), options)
    fill_block(page, COMMAND, "budgets", budget_table(held))
    cheaper = run_jobs(frontier_jobs(weight), options)
    names = {json.dumps(tuple(form.items())): name for name, form in FRONTIER.items()}
    named = [run | {"form": names[json.dumps(run["options"])]} for run in cheaper]
    costs = frontier_costs(options.work, options.device, weight)
    fill_block(page, COMMAND, "frontier", frontier_table(named, plain, costs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("preservation-work"), help="where runs are kept")
    parser.add_argument("--workers", type=int, default=2, help="processes with one thread each")
    parser.add_argument("--device", default="cpu", help="where the base runs: cpu or cuda")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "docs")
    parser.add_argument("--concepts", type=int, default=len(CONCEPTS), help="fewer concepts, for a first look")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="fewer seeds, for a first look")
    parser.add_argument("--methods", default=";".join(METHODS), help="some of them, with semicolons between")
    parser.add_argument(
        "--skip-frontier", action="store_true", help="leave out the cheaper forms of dc and the budgets"
    )
    options = parser.parse_args()
    methods = options.methods.split(";")
    if unknown := [method for method in methods if method not in METHODS]:
        parser.error(f"--methods: there is no {', '.join(unknown)}; there are {', '.join(METHODS)}")
    if not options.skip_frontier and not {"none", "dc, fixed"} <= set(methods):
        parser.error("--methods: cheaper forms of dc are held against none and dc, fixed; or --skip-frontier")
    tuned = run_jobs(tuning_jobs(methods), options)
    weights = chosen_weights(tuned)
    print("weights", weights, flush=True)
    jobs = curve_jobs(methods, weights, CONCEPTS[: options.concepts], options.seeds)
    results = run_jobs(jobs, options)
    report_curves(tuned, weights, results, options.work, options.out)
    if not options.skip_frontier:
        plain = [r for r in results if (r["method"], r["seed"], r["steps"]) == ("none", 0, STEPS[1])]
        report_price(plain, weights["dc, fixed"], options)


if __name__ == "__main__":
    main()
