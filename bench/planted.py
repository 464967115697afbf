"""LoRAs of known damage on the demo base, and whether the damage map finds it.

    python bench/planted.py [--work DIR] [--only class,none] [--seeds 5] [--steps 400] [--metrics map] [--beside]
                            [--device cuda]

Each plant is a LoRA that is distilled from the base itself: under the prompts of what is to be damaged it learns what
the base predicts under others, and under all other prompts what the base predicts under them. The seed also chooses
what becomes what. Then it is audited. For each plant and seed the place of the true concept among what the map names,
the verdict and the rows are printed. With `--beside` it is audited together with the demo's LoRA of drift correction,
which moves every prediction and damages nothing: what was planted is to be found there as well. Every finished run is
kept in the work folder, so an interrupted bench continues; `loras/` there has the files.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import checkout  # noqa: F401
import numpy as np
from demo_base.judging.pictures import load_demo_base
from owf.core.adapter import read_adapter
from owf.core.adapter.adapter import Below
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.change import AdapterChange
from owf.core.datasets.images.shipped import read_shipped
from owf.core.demo import DEMO_BASE, DEMO_VERDICTS
from owf.core.metrics.images.features import load_features
from owf.core.metrics.metric import chosen
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.audit_plan import plan_digest
from owf.core.plan.presets import in_order, preset_plan
from owf.core.plan.screening.screening import plan_concepts, with_vocabulary
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from owf.core.verdict.report import Report, to_json
from owf.core.verdict.verdict import DRIFT, PASS
from plants.planting import Planting
from plants.plants import PLANTS, Plant, World

VERSION = 2
"""Part of every run's key: change it when runs are to be made anew."""
BESIDE = next(lora for lora, verdict in DEMO_VERDICTS.items() if verdict == PASS)
"""What moves everything and damages nothing."""


@dataclass(frozen=True)
class Result:
    """One LoRA and what was found of it."""

    plant: str
    seed: int
    truth: str
    """What was planted; "" where it has no name."""
    harmless: bool
    """Whether it was nothing that matters."""
    rank: int
    """Place of the truth among what the map names; 0 where it is not there."""
    named: str
    """What it names first."""
    verdict: str
    reason: str
    """The verdict's first sentence."""
    rows: int
    """Of the LoRA's side, at most."""
    error: float
    """Of the distillation, relative to what was to be learned; of a harmless plant, to the predictions."""
    seconds: float


class Bench:
    """The base and everything that does not change between runs."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.work, self.steps = options.work, options.steps
        self.below = Below(read_adapter(BESIDE), 1.0) if options.beside else None
        self.denoiser = load_demo_base(DEMO_BASE, options.device)
        metrics = tuple(options.metrics.split(","))
        plan = replace(preset_plan(options.preset, "demo"), metrics=in_order(metrics))
        self.plan = with_vocabulary(plan, "demo")
        self.concepts = plan_concepts(self.plan)
        self.planting = Planting(self.denoiser, self.concepts, self.steps)
        names = [metric.name for metric in chosen(metrics) if metric.network is not None]
        self.networks = {name: load_features("demo") for name in names}
        self.labelled = read_shipped("demo", self.denoiser.resolution, self.plan.per_class)

    def run(self, name: str, seed: int) -> Result:
        """Return the result of a plant and seed, from the work folder where it is there."""
        key = f"{name.replace(' ', '-')}-{seed}"
        asked = [VERSION, self.steps, plan_digest(self.plan), self.denoiser.digest()[:12]]
        path = self.work / "runs" / f"{key}{'-beside' if self.below else ''}.json"
        if path.exists() and (known := json.loads(path.read_text()))["asked"] == asked:
            return Result(**known["result"])
        plant, started = PLANTS[name](World(self.concepts), np.random.default_rng(seed)), time.monotonic()
        lora = self.work / "loras" / f"{key}.safetensors"
        error = self.planted(lora, plant, seed, asked)
        report = self.audit(lora, path.stem, plant)
        result = found_of(name, seed, plant, report, error, time.monotonic() - started)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".report.json").write_text(to_json(report))
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"asked": asked, "result": asdict(result)}, indent=1))
        partial.replace(path)
        return result

    def planted(self, lora: Path, plant: Plant, seed: int, asked: list) -> float:
        """Write the LoRA unless it is there, and return the error of its distillation."""
        note = lora.with_suffix(".json")
        if note.exists() and (known := json.loads(note.read_text()))["asked"] == asked:
            return known["error"]
        lessons = [lesson for concept in self.concepts if (lesson := plant.teach(concept)) is not None]
        error = self.planting.plant(lora, lessons, plant.share, (plant.trigger,) if plant.trigger else (), seed)
        note.write_text(json.dumps({"asked": asked, "error": error}))
        return error

    def audit(self, lora: Path, key: str, plant: Plant) -> Report:
        """Return the report of a LoRA file."""
        below = () if self.below is None else (self.below,)
        change = AdapterChange(self.denoiser.components, read_adapter(lora), 1.0, below=below)
        setting = AuditSetting(
            self.work / "audits" / key,
            self.work / "cache",
            default_policy(),
            SILENT,
            Batching(64),
            self.networks,
            self.labelled,
            claimed=change.claimed,
        )
        return audit_change(self.denoiser, change, self.plan, setting)


def found_of(name: str, seed: int, plant: Plant, report: Report, error: float, seconds: float) -> Result:
    """Return what a report says of a plant."""
    things = report.measurements["map"].breakdowns["thing"] if report.measurements else ()
    labels = [part.label.rpartition(" (")[0] or part.label for part in things]
    return Result(
        plant=name,
        seed=seed,
        truth=plant.truth,
        harmless=plant.harmless,
        rank=labels.index(plant.truth) + 1 if plant.truth in labels else 0,
        named=labels[0] if labels else "",
        verdict=report.verdict.decision,
        reason=report.verdict.reasons[0] if report.verdict.reasons else "",
        rows=report.cost["tuned_rows"],
        error=error,
        seconds=seconds,
    )


def summary(results: Sequence[Result]) -> list[str]:
    """Return a line for each plant, and for all that have one damage, and all that are harmless."""
    lines = []
    for name in dict.fromkeys(result.plant for result in results):
        own = [result for result in results if result.plant == name]
        counts = Counter(result.verdict for result in own)
        verdicts = ", ".join(f"{decision} {count}" for decision, count in sorted(counts.items()))
        named = f"true one first {sum(r.rank == 1 for r in own)}, " if own[0].truth else ""
        lines.append(f"{name:14} of {len(own)}: {named}{verdicts}")
    single, harmless = [r for r in results if r.truth], [r for r in results if r.harmless]
    if single:
        first, drift = share(r.rank == 1 for r in single), share(r.verdict == DRIFT for r in single)
        lines.append(f"one damage: true one first {first}, DRIFT {drift}")
    if harmless:
        passed, drift = share(r.verdict == PASS for r in harmless), share(r.verdict == DRIFT for r in harmless)
        lines.append(f"harmless: PASS {passed}, DRIFT {drift}")
    return lines


def share(holds: Iterable[bool]) -> str:
    """Return in how many of all it holds."""
    return f"{100 * float(np.mean(list(holds))):.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("planted"), help="where LoRAs and results are kept")
    parser.add_argument("--only", default=",".join(PLANTS), help="some of the plants, by name")
    parser.add_argument("--seeds", type=int, default=5, help="LoRAs of each plant")
    parser.add_argument("--steps", type=int, default=400, help="steps of the distillation")
    parser.add_argument("--metrics", default="map", help="what is measured; the map among it")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--device", default="cpu", help="where the base runs: cpu or cuda")
    parser.add_argument("--beside", action="store_true", help="audit each beside the demo's LoRA of drift correction")
    options = parser.parse_args()
    names = [name.strip() for name in options.only.split(",")]
    if unknown := set(names) - set(PLANTS):
        parser.error(f"no such plant: {', '.join(sorted(unknown))}; there are {', '.join(PLANTS)}")
    bench = Bench(options)
    runs = [(name, seed) for seed in range(options.seeds) for name in names]
    results, started = [], time.monotonic()
    for done, (name, seed) in enumerate(runs, 1):
        result = bench.run(name, seed)
        results.append(result)
        left = (time.monotonic() - started) / done * (len(runs) - done) / 60
        print(
            f"{done}/{len(runs)} {name}, seed {seed}: {result.verdict}, named {result.named or 'nothing'}, truth at "
            f"{result.rank or '-'}, {result.rows} rows, distilled to {100 * result.error:.1f} %; {left:.0f} min left",
            flush=True,
        )
    print("\n".join(summary(results)))


if __name__ == "__main__":
    main()
