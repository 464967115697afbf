"""LoRAs that shift all colours of the demo base by about as much as is asked, and whether audits tell so.

    python bench/colors.py [--work DIR] [--only paler,darker,tinted,rerolled] [--seeds 100] [--first 0]

Each LoRA learns the base's own pictures, 15 % less saturated, 5 L* darker or tinted by 4 a*; one learns them as they
are, so that only compositions change. Then it is audited with `color_shift` of the quick plan, once for each seed of
the plan: other noise each time. What pictures shifted by is the mean over all seeds, and each audit's interval either
covers it or does not. Every audit is kept in the work folder, so an interrupted bench continues; two at a time may
share it, one from `--first 0` and the other from `--first 50`, each told half of `--seeds`.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import checkout  # noqa: F401
import numpy as np
from demo_base.judging.pictures import load_demo_base
from owf.core.adapter import read_adapter
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.change import AdapterChange
from owf.core.demo import DEMO_BASE
from owf.core.disk.files import write_text
from owf.core.families.prompt_form import IN_SENTENCES
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.presets import preset_plan
from owf.core.plan.vocabulary import shipped_vocabulary
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from plants.coloring import REROLLED, SHIFTS, Coloring

MEASURED = {"paler": "saturation_change", "darker": "lightness_shift", "tinted": "tint_a"}
"""Plant -> the number that is to tell of it."""
SIGNED = ("lightness_shift", "saturation_change", "contrast_change", "tint_a", "tint_b", "hue_turn")
"""All numbers that have a direction."""


class Bench:
    """The base and everything that does not change between audits."""

    def __init__(self, work: Path, steps: int) -> None:
        self.work, self.steps = work, steps
        self.denoiser = load_demo_base(DEMO_BASE)
        self.plan = replace(preset_plan("quick", "demo"), metrics=("color_shift",))

    def plant(self, names: Sequence[str]) -> None:
        """Write the LoRAs that are not there."""
        missing = [name for name in names if not self.lora(name).exists()]
        if missing:
            prompts = [concept.prompt for concept in shipped_vocabulary("demo", IN_SENTENCES)]
            coloring = Coloring(self.denoiser, prompts, self.steps)
            for name in missing:
                print(f"{name}: learned, loss {coloring.plant(self.lora(name), name, 0):.4f}", flush=True)

    def lora(self, name: str) -> Path:
        """Return where a plant's file is."""
        return self.work / f"{name}.safetensors"

    def audit(self, name: str, seed: int) -> dict:
        """Return an audit's numbers and verdict, from the work folder where they are there."""
        kept = self.work / "audits" / f"{name}-{seed}.json"
        if not kept.exists():
            change = AdapterChange(self.denoiser.components, read_adapter(self.lora(name)), 1.0)
            setting = AuditSetting(
                self.work / "samples" / f"{name}-{seed}",
                self.work / "cache",
                default_policy(),
                SILENT,
                Batching(64),
                {},
                None,
                claimed=change.claimed,
            )
            report = audit_change(self.denoiser, change, replace(self.plan, seed=seed), setting)
            estimates = report.measurements["color_shift"].estimates
            numbers = {key: (each.value, each.low, each.high) for key, each in estimates.items()}
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, json.dumps({"verdict": report.verdict.decision, "numbers": numbers}))
        return json.loads(kept.read_text())


def told(name: str, audits: Sequence[dict]) -> list[str]:
    """Return what the audits of one plant say, a line each."""
    verdicts = Counter(audit["verdict"] for audit in audits)
    lines = [f"{name}, {len(audits)} audits: {', '.join(f'{key} {count}' for key, count in sorted(verdicts.items()))}"]
    for key in SIGNED:
        value, low, high = np.array([audit["numbers"][key] for audit in audits if key in audit["numbers"]]).T
        true = value.mean()
        mark, spread = "*" if MEASURED.get(name) == key else " ", value.std(ddof=1) / len(value) ** 0.5
        covered, named = ((low <= true) & (true <= high)).sum(), ((low > 0) | (high < 0)).sum()
        lines.append(
            f"{mark} {key:18} {true:8.3f} +- {spread:.3f}, half of an interval {np.mean(high - low) / 2:.3f}, "
            f"covered by {covered} of {len(value)}, told by {named}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("colors"), help="where LoRAs and results are kept")
    parser.add_argument("--only", default=",".join((*SHIFTS, REROLLED)), help="some of the plants, by name")
    parser.add_argument("--seeds", type=int, default=100, help="audits of each plant")
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--steps", type=int, default=400, help="steps of the training")
    options = parser.parse_args()
    names = [name.strip() for name in options.only.split(",")]
    if unknown := set(names) - {*SHIFTS, REROLLED}:
        parser.error(f"no such plant: {', '.join(sorted(unknown))}; there are {', '.join((*SHIFTS, REROLLED))}")
    bench = Bench(options.work, options.steps)
    bench.plant(names)
    found: dict[str, list[dict]] = {name: [] for name in names}
    started = time.monotonic()
    for done, seed in enumerate(range(options.first, options.first + options.seeds), 1):
        for name in names:
            found[name].append(bench.audit(name, seed))
        left = (time.monotonic() - started) / done * (options.seeds - done) / 60
        print(f"seed {seed}, {done} of {options.seeds}; {left:.0f} min left", flush=True)
    print("\n".join(line for name in names for line in told(name, found[name])))


if __name__ == "__main__":
    main()
