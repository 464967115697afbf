"""The audit at the end of a training, told on the console or as an event."""

from pathlib import Path
from typing import Any

from ...core.audit.audit import AuditSetting
from ...core.audit.change import AdapterChange
from ...core.errors import OwfError
from ...core.metrics.images.features import Fetching
from ...core.model.batch import default_batching
from ...core.model.denoiser import Denoiser
from ...core.plan.audit_plan import AuditPlan
from ...core.render.terminal.terminal import print_report
from ...core.text import inert
from ...core.train.audited import audit_trained
from ...core.train.records import Trained
from ...core.verdict.outcome import outcome, said, summary
from ...core.verdict.report import Report
from ..events import Reported, emit
from ..paths import cache_folder
from ..session import announce_cost, progress_on
from ..wording import option, worded
from .options import RunOptions


def audit_and_tell(trained: Trained, denoiser: Denoiser, options: RunOptions, console: Any) -> None:
    """Audit the LoRA on the base that it was trained on and print the report.

    The LoRA is there already, so an audit that cannot run is a sentence and not a failure, whatever the reason.
    """
    try:
        report, folder = _audit(trained, denoiser, options, console)
    except Exception as error:
        reason = worded(error) if isinstance(error, OwfError) else f"this is a bug, please report it: {error!r}"
        console.print(f"The LoRA is trained, but not audited: {inert(reason, 2000)}", highlight=False, markup=False)
        if trained.learning is not None:
            console.print(inert(said(trained.learning, option), 2000), highlight=False, markup=False)
        return
    if options.progress == "json":
        emit(
            Reported(
                verdict=report.verdict.decision,
                folder=str(folder),
                exit_code=report.verdict.exit_code,
                outcome=outcome(report),
                summary=summary(report),
            )
        )
    else:
        print_report(report, console, option, folder)


def _audit(trained: Trained, denoiser: Denoiser, options: RunOptions, console: Any) -> tuple[Report, Path]:
    def announce(change: AdapterChange, plan: AuditPlan, setting: AuditSetting) -> None:
        if options.progress != "none":
            announce_cost(console, denoiser, change, plan, setting)

    batch, cache = default_batching(denoiser), cache_folder(options.cache)
    fetching = Fetching(denoiser.device, options.offline)
    with progress_on(console, options.progress) as progress:
        return audit_trained(trained.path, trained.learning, denoiser, batch, cache, fetching, progress, announce)
