"""What preserves the base, and what it costs the concept: every preservation term on the demo base.

    python bench/preservation.py [--work DIR] [--workers 2]

Trains every method on three concepts with three seeds each, the same number of steps on the concept, and audits every
LoRA. Before that, each term's weight is chosen on a fourth concept: the one that loses least accuracy among those whose
concept similarity is within 2 % of plain training (else the one of highest similarity). Every finished run is kept in
the work folder, so an interrupted bench continues. Writes the tables and pictures of docs/preservation.md.
Needs Fashion-MNIST (Debian: dataset-fashion-mnist), of which the concepts are made.
"""

import argparse
import hashlib
import json
import multiprocessing
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from concepts import CONCEPTS, TUNING, photographs_of
from demo_base.concept import HELD_OUT, VIEWS, Subject
from demo_base.pictures import load_demo_base
from likeness import concept_similarity, diversity_ratio
from owf.core.adapter import applied, read_adapter
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.change import AdapterChange
from owf.core.datasets.shipped import read_shipped
from owf.core.demo import DEMO_BASE
from owf.core.metrics.images.features import load_features
from owf.core.model.batch import Batching
from owf.core.model.sample import Sampling, generate
from owf.core.plan.audit_plan import Stage
from owf.core.plan.presets import preset_plan
from owf.core.progress import SILENT
from owf.core.train.data.bank import make_bank, read_bank, shipped_bank
from owf.core.train.data.captions import Concept
from owf.core.train.plan import TrainPlan
from owf.core.train.records import Picture, StepRecord, TrainSetting
from owf.core.train.train import train
from owf.core.verdict.verdict import default_policy
from preservation_report import (
    budget_table,
    concept_table,
    draw_scatter,
    frontier_table,
    replace_block,
    results_table,
    tuning_table,
)

VERSION = 1
"""Part of every run's key: change it when runs are to be made anew."""
SEEDS = 3
STEPS, BATCH, RANK, RATE = 200, 4, 8, 2e-3
CUSTOM_DIFFUSION_RATE = 5e-4
IMAGES = 3
"""Pictures of each class that diversity is measured on."""
SAMPLING = Sampling(steps=15, guidance_scale=4.0)
"""How they and the concept's pictures are drawn."""

TERMS = {
    "none": (),
    "prior": ("prior",),
    "class": ("class",),
    "blank": ("blank",),
    "l2": ("l2",),
    "dc": ("dc",),
    "dc+prior": ("dc", "prior"),
    "cd": (),
    "cd+dc": ("dc",),
}
"""Method -> its preservation terms. The paper's DB-DC has prior preservation, its DB-DC\\pr has not."""

GRID = {
    "prior": (0.5, 2.0, 8.0),
    "class": (0.3, 1.0, 4.0),
    "blank": (0.1, 0.5, 2.0),
    "l2": (0.0003, 0.002, 0.01),
    "dc": (1.0, 3.0, 8.0, 25.0),
    "dc+prior": (3.0, 8.0, 25.0),
    "cd+dc": (2.0, 6.0, 20.0),
}
"""Weights that are tried on the tuning concept; of dc+prior, dc's."""


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


@dataclass(frozen=True)
class Job:
    """One LoRA to train and audit."""

    method: str
    concept: str
    seed: int
    weight: float = 1.0
    options: tuple[tuple[str, object], ...] = ()
    version: int = VERSION

    @property
    def key(self) -> str:
        bank = shipped_bank("demo").read_text() if "dc" in TERMS[self.method] else ""
        return hashlib.sha256(f"{json.dumps(asdict(self), sort_keys=True)}{bank}".encode()).hexdigest()[:16]


def plan_of(job: Job) -> TrainPlan:
    terms = TERMS[job.method]
    custom = job.method.startswith("cd")
    weights = {f"{terms[0]}_weight": job.weight} if terms else {}
    options = {
        "class_word": job.concept,
        "steps": STEPS,
        "batch": BATCH,
        "rank": RANK,
        "rate": CUSTOM_DIFFUSION_RATE if custom else RATE,
        "seed": job.seed,
        "method": "custom_diffusion" if custom else "dreambooth_lora",
        "preserve": terms,
        "dc_control": "fixed",
        "bucket": 0,
        "drift_every": 0,
    }
    return TrainPlan(**(options | weights | dict(job.options)))


class Worker:
    """One process with the base and everything that does not change between jobs."""

    def __init__(self, work: Path) -> None:
        torch.set_num_threads(1)
        self.work = work
        self.denoiser = load_demo_base(DEMO_BASE)
        self.features = load_features("demo")
        self.plan = audit_plan()
        self.labelled = read_shipped("demo", self.denoiser.resolution, self.plan.per_class)
        self._base_features: np.ndarray | None = None

    def run(self, job: Job) -> dict:
        path = self.work / "runs" / f"{job.key}.json"
        if path.exists():
            return json.loads(path.read_text())
        concept = concept_named(job.concept)
        result = {**asdict(job), **self.train(job, concept)}
        result |= self.audit(job) | self.concept(job, concept)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{multiprocessing.current_process().pid}")
        partial.write_text(json.dumps(result, indent=1))
        partial.replace(path)
        return result

    def lora(self, job: Job) -> Path:
        return self.work / "loras" / f"{job.key}.safetensors"

    def train(self, job: Job, concept: Subject) -> dict:
        plan, named = plan_of(job), Concept("sks", concept.word)
        pictures = [Picture(p, named.caption(plan.caption)) for p in photographs_of(concept, VIEWS)]
        bank = make_bank(read_bank(shipped_bank("demo")), named)
        folder, cache = self.work / "loras", self.work / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        times, weights = [], []

        def tell(record: StepRecord) -> None:
            times.append(time.process_time())
            weights.append(record.weights.get("dc"))

        setting = TrainSetting(job.key, folder, cache, SILENT, Batching(32), save_every=1e9, watch=tell)
        trained = train(self.denoiser, pictures, bank, plan, setting)
        seconds = (times[-1] - times[0]) / (len(times) - 1)
        return {"seconds_per_step": seconds, "watched_drift": trained.drift, "last_dc_weight": weights[-1]}

    def audit(self, job: Job) -> dict:
        setting = AuditSetting(
            self.work / "audits" / job.key,
            self.work / "cache",
            default_policy(),
            SILENT,
            Batching(32),
            {"kid": self.features},
            self.labelled,
        )
        change = AdapterChange(self.denoiser.components, read_adapter(self.lora(job)), 1.0)
        report = audit_change(self.denoiser, change, self.plan, setting)
        semantic, measured = report.measurements["semantic"].estimates, report.measurements
        worst = semantic["worst_class_drop"]
        return {
            "accuracy_base": semantic["accuracy_base"].value,
            "accuracy": semantic["accuracy_tuned"].value,
            "drop": semantic["accuracy_drop"].value,
            "worst_drop": worst.value,
            "worst_floor": worst.floor,
            "margin_shift": semantic["margin_shift"].value,
            "drift": measured["denoiser_drift"].estimates["drift"].value,
            "cdi": measured["color"].estimates["cdi"].value,
            "kid": measured["kid"].estimates["kid_relative"].value,
        }

    def concept(self, job: Job, concept: Subject) -> dict:
        prompts = [p for p in self.plan.class_prompts for _ in range(IMAGES)]
        named = Concept("sks", concept.word).caption("a photo of {}")
        base = self.base_features(prompts)
        with applied(self.denoiser.components, read_adapter(self.lora(job))) as _, self.word(job):
            tuned, learnt = self.draw(prompts), self.draw([named] * 16)
        references = self.features(photographs_of(concept, HELD_OUT))
        shape = (len(self.plan.class_prompts), IMAGES, -1)
        diversity = diversity_ratio(base.reshape(shape), tuned.reshape(shape))
        similarity = concept_similarity(learnt, references)
        return {"diversity": diversity.value, "similarity": similarity.value}

    def base_features(self, prompts: list[str]) -> np.ndarray:
        if self._base_features is None:
            self._base_features = self.draw(prompts)
        return self._base_features

    def draw(self, prompts: list[str]) -> np.ndarray:
        images, _ = generate(self.denoiser, prompts, range(len(prompts)), SAMPLING, Batching(32))
        return self.features(images)

    def word(self, job: Job) -> "LearntWord":
        return LearntWord(self.denoiser, self.lora(job).with_name(f"{job.key}_sks.safetensors"))


class LearntWord:
    """Custom Diffusion's embedding of the trigger, put in the place of the base's for a while."""

    def __init__(self, denoiser, path: Path) -> None:
        self.token, self.path = denoiser.token("sks"), path

    def __enter__(self) -> None:
        self.before = self.token.embedding.weight[self.token.number].clone()
        if self.path.exists():
            from safetensors.torch import load_file

            self.token.embedding.weight[self.token.number] = load_file(self.path)["emb_params"][0]

    def __exit__(self, *exc: object) -> None:
        self.token.embedding.weight[self.token.number] = self.before


def audit_plan():
    """Return the audit of every LoRA: 100 held-out pictures, every prompt of the demo's quick preset."""
    plan = preset_plan("quick", "demo")
    return replace(plan, per_class=10, stages=(Stage(3, 3), Stage(6, 1)), images_per_prompt=1)


def concept_named(word: str) -> Subject:
    return next(concept for concept in (TUNING, *CONCEPTS) if concept.word == word)


_worker: Worker | None = None


def _start(work: Path) -> None:
    global _worker
    _worker = Worker(work)


def _run(job: Job) -> dict:
    assert _worker is not None
    return _worker.run(job)


def run_jobs(jobs: list[Job], work: Path, workers: int) -> list[dict]:
    """Return the results of all jobs, in their order; those that were run before are read."""
    start, results = time.monotonic(), {}
    with multiprocessing.get_context("spawn").Pool(workers, _start, (work,)) as pool:
        for done, result in enumerate(pool.imap_unordered(_run, jobs), 1):
            results[_place(result)] = result
            eta = (time.monotonic() - start) / done * (len(jobs) - done) / 60
            print(
                f"{done}/{len(jobs)} {result['method']} {result['concept']} seed {result['seed']} weight "
                f"{result['weight']}: drop {100 * result['drop']:.0f} points, drift {100 * result['drift']:.2f} %, "
                f"similarity {result['similarity']:.3f}; ETA {eta:.0f} min",
                flush=True,
            )
    return [results[_place(asdict(job))] for job in jobs]


def _place(run: dict) -> str:
    return json.dumps([run[name] for name in ("method", "concept", "seed", "weight", "options")])


def tuning_jobs() -> list[Job]:
    plain = [Job("none", TUNING.word, 0), Job("cd", TUNING.word, 0)]
    return plain + [Job(method, TUNING.word, 0, weight) for method, weights in GRID.items() for weight in weights]


def choose_weights(results: list[dict]) -> dict[str, float]:
    """Return each method's weight: least drop (then most similar) within 2 % of plain similarity; else most similar."""
    plain = {r["method"]: r["similarity"] for r in results if r["method"] in ("none", "cd")}
    weights = {}
    for method in GRID:
        runs = [r for r in results if r["method"] == method]
        limit = 0.98 * plain["cd" if method.startswith("cd") else "none"]
        near = [r for r in runs if r["similarity"] >= limit]
        best = min(near or runs, key=lambda r: (r["drop"] if near else 0, -r["similarity"]))
        weights[method] = best["weight"]
    return weights


def frontier_jobs(weight: float) -> list[Job]:
    """Return dc in every cheaper form, on every concept with one seed."""
    return [Job("dc", c.word, 0, weight, tuple(o.items())) for o in FRONTIER.values() for c in CONCEPTS]


def budget_jobs() -> list[Job]:
    """Return dc under every budget, on every concept with one seed; the weight starts at 1."""
    measured = ("drift_every", 25)
    return [Job("dc", c.word, 0, 1.0, (("drift_budget", b), measured)) for b in BUDGETS for c in CONCEPTS]


def time_step(worker: Worker, job: Job, steps: int = 40) -> float:
    """Return the mean seconds per step of a short training, from its first step's end; what a step saves by a fixed
    set of predictions is in it, making the set is not.
    """
    short = replace(job, options=(*job.options, ("steps", steps)), seed=99)
    return worker.train(short, concept_named(job.concept))["seconds_per_step"]


def frontier_costs(work: Path, weight: float) -> dict[str, float]:
    """Return each variant's time per step by plain training's, timed in turn in this process, three rounds."""
    worker, word = Worker(work), TUNING.word
    jobs = {name: Job("dc", word, 0, weight, tuple(options.items())) for name, options in FRONTIER.items()}
    rounds = [{n: time_step(worker, j) for n, j in {"plain": Job("none", word, 0), **jobs}.items()} for _ in range(3)]
    return {name: statistics.median(r[name] / r["plain"] for r in rounds) for name in jobs}


def report(tuned: list[dict], weights: dict[str, float], results: list[dict], out: Path) -> None:
    """Write tables and picture into docs/preservation.md."""
    page, command = out / "preservation.md", "bench/preservation.py"
    draw_scatter(results, out / "preservation.png")
    replace_block(page, "results", command, results_table(results))
    replace_block(page, "concepts", command, concept_table(results))
    replace_block(page, "tuning", command, tuning_table(tuned, weights))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("preservation-work"), help="where runs are kept")
    parser.add_argument("--workers", type=int, default=2, help="processes with one thread each")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "docs")
    parser.add_argument("--concepts", type=int, default=len(CONCEPTS), help="fewer concepts, for a first look")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="fewer seeds, for a first look")
    parser.add_argument(
        "--skip-frontier", action="store_true", help="leave out the cheaper forms of dc and the budgets"
    )
    options = parser.parse_args()
    tuned = run_jobs(tuning_jobs(), options.work, options.workers)
    weights = choose_weights(tuned)
    print("weights", weights, flush=True)
    concepts, seeds = CONCEPTS[: options.concepts], range(options.seeds)
    jobs = [Job(m, c.word, s, weights.get(m, 1.0)) for s in seeds for c in concepts for m in TERMS]
    results = run_jobs(jobs, options.work, options.workers)
    report(tuned, weights, results, options.out)
    if not options.skip_frontier:
        held = run_jobs(budget_jobs(), options.work, options.workers)
        replace_block(options.out / "preservation.md", "budgets", "bench/preservation.py", budget_table(held))
        cheaper = run_jobs(frontier_jobs(weights["dc"]), options.work, options.workers)
        seen = {(r["concept"], r["seed"]) for r in cheaper}
        plain = [r for r in results if r["method"] == "none" and (r["concept"], r["seed"]) in seen]
        names = {str(tuple(map(tuple, o.items()))): name for name, o in FRONTIER.items()}
        named = [r | {"name": names[str(tuple(map(tuple, r["options"])))]} for r in cheaper]
        lines = frontier_table(named, plain, frontier_costs(options.work, weights["dc"]))
        replace_block(options.out / "preservation.md", "frontier", "bench/preservation.py", lines)


if __name__ == "__main__":
    main()
