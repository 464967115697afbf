"""What one call of `owf-audit` keeps between LoRAs: options, console and base model."""

import argparse
from typing import TYPE_CHECKING, Any

import torch

from ..core.adapter import Adapter
from ..core.audit.audit import AuditSetting
from ..core.audit.change import AdapterChange, report_stem
from ..core.audit.outlook import outlook
from ..core.audit.session import AuditRequest, AuditSession, Places, Published
from ..core.datasets.dataset import find_dataset
from ..core.errors import Setting, UsageError
from ..core.metrics.images.features import Fetching
from ..core.model.base import BaseChoice, choose_base, load_base
from ..core.model.batch import Batching, default_batching
from ..core.model.denoiser import Denoiser
from ..core.model.device import choose_device, choose_dtype
from ..core.plan.audit_plan import AuditPlan
from ..core.verdict.policy import read_policy
from ..core.verdict.verdict import default_policy
from .command import say, say_left_out
from .paths import cache_folder
from .progress import Bar, JsonLines, Quiet, progress_kind
from .wording import option

if TYPE_CHECKING:
    from ..core.model.backends.diffusers import DiffusersDenoiser


class Session:
    """Audits LoRAs with the same options; a base is loaded once as long as it stays the same."""

    def __init__(self, options: argparse.Namespace) -> None:
        from rich.console import Console

        self._options = options
        if options.images is not None:
            left_out = find_dataset(options.images, options.dataset).left_out(options.images)
            say_left_out("owf-audit", left_out, options.images)
        cache = cache_folder(options.cache)  # where there is none, that is said before a base is loaded
        self._places = Places(options.out, cache, options.resume, options.write)
        self._audits = AuditSession(
            _request(options),
            default_policy() if options.policy is None else read_policy(options.policy),
            self._places,
            Fetching(choose_device(options.device), options.offline),
        )
        note = self._audits.note(option)
        if note:
            say("owf-audit", note)
        self.console = Console(stderr=options.progress == "json")
        self._loaded: tuple[BaseChoice, Denoiser] | None = None

    def audit(self, adapter: Adapter) -> Published:
        """Return the report of one LoRA and where it was written to."""
        options = self._options
        denoiser = self._denoiser(adapter)
        with self.console.status("Applying the LoRA"):
            change = AdapterChange(denoiser.components, adapter, options.strength)
        batch = Batching(options.batch) if options.batch else default_batching(denoiser)
        if batch.workers > 1:
            torch.set_num_threads(1)

        def announce(plan: AuditPlan, setting: AuditSetting) -> None:
            if options.progress != "none":
                text = outlook(denoiser, change, plan, setting)
                self.console.print(text, highlight=False, markup=False)

        with progress_on(self.console, options.progress) as progress:
            return self._audits.audit(denoiser, change, report_stem(adapter), batch, progress, announce=announce)

    def _denoiser(self, adapter: Adapter) -> Denoiser:
        options = self._options
        choice = choose_base(options.base, adapter.family)
        if self._loaded is None or self._loaded[0] != choice:
            self._loaded = None
            self._loaded = choice, load_chosen(choice, self.console, options.device, options.dtype, options.offline)
        return self._loaded[1]


def _request(options: argparse.Namespace) -> AuditRequest:
    metrics = tuple(metric for metric in options.metrics if metric not in options.skip)
    if not metrics:
        raise UsageError("Nothing is left to measure.", Setting("metrics"), Setting("skip"))
    return AuditRequest(
        preset=options.preset,
        seed=options.seed,
        metrics=metrics,
        per_class=options.per_class or 0,
        class_prompt=options.class_prompt or "",
        stages=options.stages or (),
        loss=options.loss or "",
        features=options.features or "",
        images=options.images,
        dataset=options.dataset,
    )


def progress_on(console: Any, kind: str) -> Any:
    """Return the progress that an option asks for, as a context."""
    return {"bar": lambda: Bar(console), "json": JsonLines, "none": Quiet}[progress_kind(kind)]()


def load_chosen(choice: BaseChoice, console: Any, device: str, dtype: str, offline: bool) -> "DiffusersDenoiser":
    """Return the base on the device and in the type that their options name."""
    place = choose_device(device)
    with console.status("Loading the base model"):
        return load_base(choice, place, choose_dtype(dtype, place), offline=offline)
