"""LoRAs that shift all colours of the demo base by about as much as is asked, and whether audits tell so.

    python bench/colors.py [--work DIR] [--only paler,darker,tinted,rerolled] [--seeds 100] [--first 0] [--images 2]

Each LoRA learns the base's own pictures, 15 % less saturated, 5 L* darker or tinted by 4 a*, and is audited with
`color` and `color_shift` of the quick plan, once for each seed of the plan: other noise each time. What pictures
shifted by is the mean over all seeds, and each audit's interval either covers it or does not. `rerolled` is no LoRA but
the base itself with other noise, as if a LoRA had changed nothing but every composition. What was audited is kept in
the work folder, so an interrupted bench continues; two at a time may share it, one of them with `--first 50`.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import checkout  # noqa: F401
import numpy as np
from demo_base.judging.pictures import load_demo_base
from owf.core.adapter import read_adapter
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.change import AdapterChange
from owf.core.audit.evidence.recorder import audit_draws
from owf.core.demo import DEMO_BASE
from owf.core.disk.files import write_text
from owf.core.families.prompt_form import IN_SENTENCES
from owf.core.metrics.color import METRIC as COLOR
from owf.core.metrics.color_shift import METRIC as COLOR_SHIFT
from owf.core.metrics.evidence import Drawings
from owf.core.metrics.measurement import Measurement
from owf.core.metrics.metric import Tools
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling, generate
from owf.core.plan.audit_plan import plan_digest
from owf.core.plan.presets import preset_plan
from owf.core.plan.vocabulary import shipped_vocabulary
from owf.core.progress import SILENT
from owf.core.verdict.judge import judge
from owf.core.verdict.policy import default_policy
from owf.core.verdict.verdict import Verdict
from plants.coloring import SHIFTS, Coloring

MEASURED = {"paler": "saturation_change", "darker": "lightness_shift", "tinted": "tint_a"}
"""Plant -> the number that is to tell of it."""
SIGNED = ("lightness_shift", "saturation_change", "contrast_change", "tint_a", "tint_b", "hue_turn")
"""All numbers that have a direction."""
METRICS = (COLOR, COLOR_SHIFT)
"""Whose numbers are told."""
REROLLED, APART = "rerolled", 1_000
"""What changes compositions alone, and by how much the seeds of its noise are apart from those of the base."""


class Bench:
    """The base and everything that does not change between audits."""

    def __init__(self, work: Path, steps: int, images: int) -> None:
        self.work, self.steps = work, steps
        self.denoiser = load_demo_base(DEMO_BASE)
        plan = replace(preset_plan("quick", "demo"), metrics=tuple(metric.name for metric in METRICS))
        self.plan = replace(plan, images_per_prompt=images or plan.images_per_prompt)

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
        versions = "-".join(str(metric.version) for metric in METRICS)
        kept = self.work / "audits" / f"{plan_digest(self.plan)[:8]}-{versions}" / f"{name}-{seed}.json"
        if not kept.exists():
            verdict, measured = self._rerolled(seed) if name == REROLLED else self._audited(name, seed)
            kept.parent.mkdir(parents=True, exist_ok=True)
            estimates = {key: each for said in measured.values() for key, each in said.estimates.items()}
            found = {key: (each.value, each.low, each.high) for key, each in estimates.items()}
            write_text(kept, json.dumps({"verdict": verdict.decision, "numbers": found}))
        return json.loads(kept.read_text())

    def _audited(self, name: str, seed: int) -> tuple[Verdict, Mapping[str, Measurement]]:
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
        return report.verdict, report.measurements

    def _rerolled(self, seed: int) -> tuple[Verdict, Mapping[str, Measurement]]:
        plan, stacks = self.plan, []
        for other in range(seed, seed + 3 * APART, APART):
            draws = audit_draws(replace(plan, seed=other))
            sampling = Sampling(plan.sampling_steps, plan.guidance_scale, plan.negative, plan.solver)
            prompts, seeds = zip(*draws, strict=True)
            stacks.append(generate(self.denoiser, prompts, seeds, sampling, Batching(64))[0].numpy())
        tools, drawings = Tools(self.denoiser.device, {}, SILENT), Drawings(*stacks)
        measured = {metric.name: metric.measure(plan, tools, drawings) for metric in METRICS}
        return judge(measured, default_policy()), measured


def told(name: str, audits: Sequence[dict]) -> list[str]:
    """Return what the audits of one plant say, a line each."""
    verdicts = Counter(audit["verdict"] for audit in audits)
    lines = [f"{name}, {len(audits)} audits: {', '.join(f'{key} {count}' for key, count in sorted(verdicts.items()))}"]
    for key in (*SIGNED, "cdi_beyond"):
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
    parser.add_argument("--images", type=int, default=0, help="pictures of each prompt, instead of the plan's")
    options = parser.parse_args()
    names = [name.strip() for name in options.only.split(",")]
    if unknown := set(names) - {*SHIFTS, REROLLED}:
        parser.error(f"no such plant: {', '.join(sorted(unknown))}; there are {', '.join((*SHIFTS, REROLLED))}")
    bench = Bench(options.work, options.steps, options.images)
    bench.plant([name for name in names if name != REROLLED])
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
