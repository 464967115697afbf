"""What one call of `owf-audit` keeps between LoRAs: options, policy, console and base model."""

import argparse
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..core.adapter import Adapter
from ..core.audit import Setting, audit_change, to_do
from ..core.base import BaseChoice, choose_base, load_base
from ..core.batch import Batch, default_batch
from ..core.change import AdapterChange
from ..core.datasets.demo import read_demo
from ..core.datasets.folder import read_folder, survey
from ..core.datasets.labelled import LabelledImages
from ..core.denoiser import Denoiser
from ..core.device import choose_device, choose_dtype
from ..core.errors import UsageError
from ..core.estimate import estimate
from ..core.features import FeatureNetwork, Fetching
from ..core.metrics.metric import chosen
from ..core.plan import AuditPlan, plan_digest
from ..core.policy import read_policy
from ..core.presets import demo_plan, in_order, preset_plan
from ..core.render.html import write_html
from ..core.report import Report, write_report
from ..core.text import file_stem, inert
from ..core.verdict import default_policy
from .command import say_left_out
from .folders import cache_folder
from .lock import only_one
from .progress import Bar, JsonLines, Quiet, progress_kind

if TYPE_CHECKING:
    from ..core.backends.diffusers import DiffusersDenoiser


class Session:
    """Audits LoRAs with the same options; a base is loaded once as long as it stays the same."""

    def __init__(self, options: argparse.Namespace, loaded: tuple[BaseChoice, Denoiser] | None = None) -> None:
        """Take a base that is `loaded` already instead of loading the same choice again."""
        from rich.console import Console

        self._options = options
        if options.images is not None:
            say_left_out("owf-audit", survey(options.images).left_out, options.images)
        self._cache = cache_folder(options.cache)  # where there is none, that is said before a base is loaded
        self._policy = default_policy() if options.policy is None else read_policy(options.policy)
        self.console = Console(stderr=options.progress == "json")
        self._loaded = loaded
        self._networks: dict[tuple[str, str, torch.device], FeatureNetwork] = {}

    def audit(self, adapter: Adapter, out: Path) -> tuple[Report, Path]:
        """Return the report of one LoRA and the folder it was written to."""
        options = self._options
        denoiser = self._denoiser(adapter)
        plan, labelled = self._plan(denoiser)
        with self.console.status("Applying the LoRA"):
            change = AdapterChange(denoiser.components, adapter, options.strength)
        fits = change.refusal() is None
        # What does not fit is INVALID at once: nothing is fetched for it, and nothing that is missing comes before it.
        networks = self._load_networks(plan, denoiser) if fits else {}
        folder = self._folder(adapter, denoiser, plan, networks, out)
        batch = Batch(options.batch) if options.batch else default_batch(denoiser)
        if batch.workers > 1:
            torch.set_num_threads(1)
        with only_one(folder):
            if not options.resume:
                _remove_samples(folder)
            with self._progress() as progress:
                setting = Setting(folder, self._cache, self._policy, progress, batch, networks, labelled)
                if fits:
                    self._announce(denoiser, change, plan, setting)
                report = audit_change(denoiser, change, plan, setting)
                progress.stage("Writing the report")
                write_report(report, folder / "report.json")
                write_html(report, folder)
            if report.status == "complete":
                _remove_samples(folder)
        return report, folder

    def _denoiser(self, adapter: Adapter) -> Denoiser:
        options = self._options
        choice = choose_base(options.base, adapter.family)
        if self._loaded is None or self._loaded[0] != choice:
            self._loaded = None
            self._loaded = choice, load_chosen(choice, self.console, options.device, options.dtype, options.offline)
        return self._loaded[1]

    def _plan(self, denoiser: Denoiser) -> tuple[AuditPlan, LabelledImages | None]:
        options = self._options
        plan, labelled = _adjusted(preset_plan(options.preset), options), None
        if denoiser.family == "demo":
            plan = _adjusted(demo_plan(options.preset, read_demo(1).classes), options)
            labelled = read_demo(plan.per_class)
        if options.images is not None:
            labelled = read_folder(options.images, denoiser.resolution, plan.per_class)
            digest = labelled.digest()
            plan = dataclasses.replace(plan, dataset="folder", dataset_digest=digest, classes=labelled.classes)
        return plan, labelled

    def _load_networks(self, plan: AuditPlan, denoiser: Denoiser) -> dict[str, FeatureNetwork]:
        """Return the networks of the plan's metrics, each loaded once for all LoRAs."""
        fetching, found = Fetching(denoiser.device, self._options.offline), {}
        for metric in chosen(plan.metrics):
            if metric.network is not None:
                key = metric.name, plan.features, denoiser.device
                if key not in self._networks:
                    self._networks[key] = metric.network(plan, fetching)
                found[metric.name] = self._networks[key]
        return found

    def _folder(
        self, adapter: Adapter, denoiser: Denoiser, plan: AuditPlan, networks: Mapping[str, FeatureNetwork], out: Path
    ) -> Path:
        """Return the LoRA's output folder, named by all that tells its report from others."""
        options, place = self._options, denoiser.device
        computed = f"{place.type}|{choose_dtype(options.dtype, place)}"  # "auto" is another type on another device
        # A network's name says little: folders and hub ids get other weights.
        network = "|".join(network.digest for network in networks.values())
        asked = f"{plan_digest(plan)}|{options.strength!r}|{self._policy}"
        run = hashlib.sha256(f"{denoiser.digest()}|{computed}|{network}|{asked}".encode()).hexdigest()[:6]
        folder = out / f"{file_stem(adapter.path.stem)}-{adapter.hashes.autov2}-{plan.preset}-{run}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _announce(self, denoiser: Denoiser, change: AdapterChange, plan: AuditPlan, setting: Setting) -> None:
        if self._options.progress == "none":
            return
        left, whole = to_do(denoiser, change.key, plan, setting)
        guess = estimate(denoiser, setting.batch)
        base, minutes = "the base's are cached", f"{guess.minutes(left.tuned):.1f}"
        if left.base:
            base = f"{_of(left.base, whole.base)} for the base (once, then cached)"
            minutes += f" + {guess.minutes(left.base):.1f}"
        self.console.print(
            f"Base {inert(denoiser.name)} on {denoiser.device} ({denoiser.dtype}), preset {plan.preset}: "
            f"{_of(left.tuned, whole.tuned)} UNet rows for the LoRA, {base}. "
            f"About {minutes} minutes, {guess.peak_bytes / 2**30:.1f} GB peak memory.",
            highlight=False,
            markup=False,
        )

    def _progress(self) -> Any:
        kind = progress_kind(self._options.progress)
        return {"bar": lambda: Bar(self.console), "json": JsonLines, "none": Quiet}[kind]()


def _of(left: int, whole: int) -> str:
    """Return how many rows are left, and of how many where some are done."""
    return f"{left:,}" if left == whole else f"{left:,} of {whole:,}"


def load_chosen(choice: BaseChoice, console: Any, device: str, dtype: str, offline: bool) -> "DiffusersDenoiser":
    """Return the base on the device and in the type that their options name."""
    place = choose_device(device)
    with console.status("Loading the base model"):
        return load_base(choice, place, choose_dtype(dtype, place), offline=offline)


def _adjusted(plan: AuditPlan, options: argparse.Namespace) -> AuditPlan:
    """Return the plan with everything that an option sets."""
    metrics = in_order(set(options.metrics) - set(options.skip))
    if not metrics:
        raise UsageError("--skip leaves nothing to measure.")
    return dataclasses.replace(
        plan,
        seed=options.seed,
        metrics=metrics,
        per_class=options.per_class or plan.per_class,
        class_prompt=options.class_prompt or plan.class_prompt,
        stages=options.stages or plan.stages,
        loss=options.loss or plan.loss,
        features=options.features or plan.features,
    )


def _remove_samples(folder: Path) -> None:
    for path in folder.glob("samples-*.sqlite*"):
        path.unlink()
