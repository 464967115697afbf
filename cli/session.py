"""What one call of `owf-audit` keeps between LoRAs: options, console and base model."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..core.adapter import Adapter
from ..core.adapter.naming.stated.stated_base import StatedBase, stated_base
from ..core.audit.audit import AuditSetting
from ..core.audit.base.base_in_use import difference, is_named
from ..core.audit.base.find_base import find_base, used_base
from ..core.audit.change import AdapterChange, report_stem
from ..core.audit.outlook import outlook
from ..core.audit.references import left_out_of
from ..core.audit.request import AuditRequest, side_for
from ..core.audit.session import AuditSession, Places, Published
from ..core.datasets.dataset import find_dataset
from ..core.disk.digests import Digests
from ..core.metrics.images.features import Fetching
from ..core.model.base import BaseChoice, choose_base, load_base
from ..core.model.device import choose_device
from ..core.model.diffusion.batch import Batching, default_batching
from ..core.model.diffusion.denoiser import Denoiser
from ..core.model.memory import AS_LOADED, Keeping
from ..core.model.names import base_names, contradiction
from ..core.model.settings import checkpoint_folders, config_file
from ..core.model.stored import dtype_of_base
from ..core.plan.audit_plan import AuditPlan
from ..core.progress import Progress
from ..core.text import inert
from ..core.verdict.policy import default_policy, read_policy
from .arguments.paths import cache_folder
from .arguments.plan_arguments import measured
from .below import read_below
from .command import say, say_left_out
from .output.progress import JsonLines, progress_kind, progress_on
from .output.wording import option

if TYPE_CHECKING:
    from ..core.audit.forecast import Forecast
    from ..core.model.backends.diffusers import DiffusersDenoiser

AUTO = "auto"
"""The base that the LoRA names, where the user has it."""


class Session:
    """Audits LoRAs with the same options; a base is loaded once as long as it stays the same."""

    def __init__(self, options: argparse.Namespace) -> None:
        from rich.console import Console

        self._options = options
        if options.images is not None:
            dataset = find_dataset(options.images, options.dataset)
            say_left_out("owf-audit", dataset.left_out(options.images), options.images)
            if dataset.published is not None:
                say("owf-audit", f"{dataset.published.title}: {dataset.published.licence}")
        if options.references is not None:
            say_left_out("owf-audit", left_out_of(options.references), options.references)
        cache = cache_folder(options.cache)  # where there is none, that is said before a base is loaded
        self._digests = Digests(cache)
        self._places = Places(
            options.out, cache, options.resume, options.write, options.cache_limit, reuse=options.resume
        )
        self._request = _request(options)
        self._audits = AuditSession(
            self._request,
            default_policy() if options.policy is None else read_policy(options.policy),
            self._places,
            Fetching(choose_device(options.device), options.offline),
        )
        note = self._audits.note(option)
        if note:
            say("owf-audit", note)
        self.console = Console(stderr=options.progress == "json")
        self._loaded: tuple[BaseChoice, Denoiser] | None = None
        self._keeping = keeping_of(options)
        self._below = read_below(options.below, options.allow_pickle)

    def audit(self, adapter: Adapter, strength: float | None = None) -> Published:
        """Return the report of one LoRA and where it was written to; the strength is the options' unless one is given.

        Raises OwfError where there is none.
        """
        options = self._options
        at = options.strength if strength is None else strength
        stated = stated_base(adapter.training)
        choice = self._choose(adapter, stated)
        denoiser = self._denoiser(choice)
        other_base = self._other_base(choice, denoiser, stated)
        with self.console.status("Applying the LoRA"):
            change = AdapterChange(denoiser.components, adapter, at, self._keeping, self._below)
        denoiser.resize(side_for(self._request, denoiser.family, denoiser.made_for))
        usual = default_batching(denoiser, takes_turns=self._keeping.takes_turns)
        batch = Batching(options.batch) if options.batch else usual
        if batch.workers > 1:
            torch.set_num_threads(1)

        def announce(plan: AuditPlan, setting: AuditSetting) -> None:
            if options.progress != "none":  # the estimate takes a moment
                self._say(outlook(denoiser, change, plan, setting))

        with self._progress() as progress:
            return self._audits.audit(
                denoiser,
                change,
                report_stem(adapter),
                batch,
                progress,
                names=base_names(choice),
                other_base=other_base,
                announce=announce,
            )

    def foresee(self, adapter: Adapter) -> "Forecast":
        """Print what the audit of a LoRA would be, and return it; nothing is loaded."""
        from .dry_run.audit import Asked, foresee, print_forecast

        options = self._options
        choice = self._choose(adapter, stated_base(adapter.training))
        seen = foresee(adapter, choice, self._request)
        device = choose_device(options.device)
        here, on_cards = (dtype_of_base(options.dtype, place, choice) for place in (device, torch.device("cuda")))
        asked = Asked(choice, device, here, on_cards, options.batch or 0, self._keeping)
        print_forecast(self.console, adapter, seen, asked)
        return seen

    def _other_base(self, choice: BaseChoice, denoiser: "Denoiser", stated: StatedBase) -> str:
        """Return what speaks for another base than the one that the LoRA was trained on, or that was meant."""
        with self._noting() as progress:
            used = used_base(choice, denoiser.name, denoiser.family, stated, self._digests, progress)
        other = difference(stated, used)
        return " ".join(filter(None, (other, contradiction(choice))))

    def _choose(self, adapter: Adapter, stated: StatedBase) -> BaseChoice:
        """Return the base that the options name; with "auto" the checkpoint that the LoRA names, if the user has it."""
        if self._options.base != AUTO:
            return choose_base(self._options.base, adapter.family)
        folders = checkpoint_folders()
        with self._noting() as progress:
            found = find_base(stated, folders, self._digests, progress)
        if found is None:
            self._say(_not_found(stated, folders))
            return choose_base(None, adapter.family)
        self._say(f"The base that the LoRA names, by its {found.by}: {inert(found.choice.path, 400)}.")
        return found.choice

    def _progress(self) -> AbstractContextManager[Progress]:
        return progress_on(self.console, self._options.progress)

    def _noting(self) -> AbstractContextManager[Progress]:
        return noting(self.console, self._options.progress)

    def _say(self, text: str) -> None:
        if self._options.progress != "none":
            self.console.print(text, highlight=False, markup=False)

    def _denoiser(self, choice: BaseChoice) -> Denoiser:
        options = self._options
        if self._loaded is None or self._loaded[0] != choice:
            self._loaded = None
            self._loaded = (
                choice,
                load_chosen(
                    choice,
                    self.console,
                    options.device,
                    options.dtype,
                    options.offline,
                    self._keeping,
                    options.clip_skip or 0,
                ),
            )
        return self._loaded[1]


def _not_found(stated: StatedBase, folders: Sequence[Path]) -> str:
    """Return why the family's base is taken instead of one that the LoRA names."""
    if not is_named(stated):
        return "The LoRA does not say on which checkpoint it was trained: taking the usual base of its family."
    if not folders:
        where = config_file() or "a file that OWF_CONFIG names"
        return (
            f"The LoRA was trained on {stated.words()}: taking the usual base of its family, as {where} has no "
            "folders to look in ([folders] checkpoints)."
        )
    return f"The LoRA was trained on {stated.words()}, which is in no folder of checkpoints: taking its family's base."


def _request(options: argparse.Namespace) -> AuditRequest:
    return AuditRequest(
        preset=options.preset,
        seed=options.seed,
        metrics=measured(options),
        resolution=options.resolution or 0,
        per_class=options.per_class or 0,
        class_prompt=options.class_prompt or "",
        stages=options.stages or (),
        loss=options.loss or "",
        features=options.features or "",
        open_clip=options.open_clip or "",
        images=options.images,
        dataset=options.dataset,
        prompt_form=options.prompt_form,
        words=options.words,
        concept=options.concept,
        references=options.references,
        decide_early=options.decide_early,
    )


@contextmanager
def noting(console: Any, option: str) -> Iterator[Progress]:
    """Return a context of a progress for what is read before a run; lines of JSON do not end with it."""
    if progress_kind(option) == "json":
        yield JsonLines()
    else:
        with progress_on(console, option) as progress:
            yield progress


def keeping_of(options: argparse.Namespace) -> Keeping:
    """Return how the options let a base be kept."""
    return Keeping(options.offload, options.quantize, options.vae_tile or 0)


def load_chosen(
    choice: BaseChoice,
    console: Any,
    device: str,
    dtype: str,
    offline: bool,
    keeping: Keeping = AS_LOADED,
    clip_skip: int = 0,
) -> "DiffusersDenoiser":
    """Return the base on the device and in the type that their options name, kept and asked as told."""
    place = choose_device(device)
    with console.status("Loading the base model"):
        kind, names = dtype_of_base(dtype, place, choice), base_names(choice)
        return load_base(choice, place, kind, offline=offline, keeping=keeping, clip_skip=clip_skip, names=names)
