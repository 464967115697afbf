"""The audit at the end of a training, told on the console or as an event."""

from collections.abc import Sequence
from typing import Any

from ...core.audit.audit import AuditSetting
from ...core.audit.change import AdapterChange
from ...core.audit.outlook import outlook
from ...core.audit.session import Published
from ...core.errors import OwfError
from ...core.foreign import is_out_of_memory, seen
from ...core.metrics.images.features import Fetching
from ...core.model.diffusion.batch import default_batching
from ...core.model.diffusion.denoiser import Denoiser
from ...core.plan.audit_plan import AuditPlan
from ...core.text import inert
from ...core.train.audited import audit_trained
from ...core.train.records import Trained
from ...core.verdict.outcome import said
from ..arguments.paths import cache_folder
from ..output.tell import tell_report
from ..output.wording import option, worded
from ..session import progress_on
from .options import RunOptions


def audit_and_tell(
    trained: Trained, denoiser: Denoiser, options: RunOptions, console: Any, prompt_form: str, names: Sequence[str]
) -> None:
    """Audit the LoRA on the base that it was trained on and print the report.

    The base is asked as the bank was: in `prompt_form`, which goes by its `names`. The LoRA is there already, so an
    audit that cannot run is a sentence and not a failure, whatever the reason.
    """
    try:
        published = _audit(trained, denoiser, options, console, prompt_form, names)
    except Exception as error:
        said_why = f"The LoRA is trained, but not audited: {inert(_reason(error), 2000)}"
        console.print(said_why, highlight=False, markup=False)
        if trained.learning is not None:
            console.print(inert(said(trained.learning, option), 2000), highlight=False, markup=False)
        return
    tell_report(published, published.files, console, options.progress)


def _reason(error: Exception) -> str:
    """Return why an audit could not run."""
    if isinstance(error, OwfError):
        return worded(error)
    if is_out_of_memory(error):  # a training with checkpointing needs less than an audit with a merged LoRA
        return f"there is not enough memory ({seen(error)}). Ask owf-audit, with --offload model."
    return f"this is a bug, please report it: {error!r}"


def _audit(
    trained: Trained, denoiser: Denoiser, options: RunOptions, console: Any, prompt_form: str, names: Sequence[str]
) -> Published:
    def announce(change: AdapterChange, plan: AuditPlan, setting: AuditSetting) -> None:
        if options.progress != "none":
            console.print(outlook(denoiser, change, plan, setting), highlight=False, markup=False)

    batch = default_batching(denoiser, takes_turns=options.keeping.takes_turns)
    cache = cache_folder(options.cache)
    fetching = Fetching(denoiser.device, options.offline)
    with progress_on(console, options.progress) as progress:
        return audit_trained(
            trained.path,
            trained.learning,
            denoiser,
            batch,
            cache,
            fetching,
            progress,
            announce,
            prompt_form,
            names,
            options.keeping,
        )
