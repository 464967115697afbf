"""One call of `owf-train`: options become a request, and what comes of it is told."""

import torch

from ...core import families
from ...core.audit.learned.networks import load_networks
from ...core.disk.lock import only_one
from ...core.disk.places import expanded
from ...core.disk.writable import require_writable
from ...core.errors import Setting, UsageError
from ...core.metrics.images.features import Fetching
from ...core.model.base import BaseChoice, choose_base
from ...core.model.diffusion.batch import default_batching
from ...core.model.diffusion.denoiser import Denoiser
from ...core.model.names import base_names, contradiction
from ...core.render.pictures.curves import write_curves
from ...core.text import inert, percent
from ...core.train.audited import AUDITS
from ...core.train.curves import Curves
from ...core.train.data.bank import read_bank
from ...core.train.methods.embedding import embedding_path, is_embedding
from ...core.train.plan import TrainPlan
from ...core.train.records import Networks, StepRecord, Trained, TrainSetting
from ...core.train.session import Training, TrainRequest, TrainSession, is_another, mark_finished, require_trained
from ...core.train.summary import above_budget, doubts, summary
from ...core.train.train import require_kept
from ..arguments.paths import cache_folder
from ..command import INTERRUPTED
from ..output.events import TrainingStopped, emit
from ..output.wording import option
from ..session import load_chosen
from .audit import audit_and_tell
from .config import write_config
from .interrupt import Interrupt
from .options import RunOptions
from .progress import train_progress


class TrainCommand:
    """Everything between the options and the finished LoRA."""

    def __init__(
        self,
        plan: TrainPlan,
        options: RunOptions,
        given: frozenset[str] = frozenset(),
        *,
        resume: bool,
        overwrite: bool,
    ) -> None:
        """Take plan and options, and which of their fields somebody gave."""
        from rich.console import Console

        self._given = given
        self._plan, self._options, self._resume, self._overwrite = plan, options, resume, overwrite
        self._folder = expanded(options.out, "--out")
        self._console = Console(stderr=options.progress == "json")

    def run(self) -> int:
        """Train and audit; return 0, or 130 if the training was interrupted."""
        session = TrainSession(request_from(self._plan, self._options, self._given))
        self._name = self._options.file_name(session.concept.phrase)
        self._lora = self._folder / f"{self._name}.safetensors"
        choice = choose_base(self._options.base or None, "demo" if self._options.demo_base else None)
        require_kept(self._plan, self._options.keeping)
        self._require_free(session)
        self._require_writable()
        self._folder.mkdir(parents=True, exist_ok=True)
        with only_one(self._folder, f".{self._name}.lock"):
            return self._train_and_audit(session, choice)

    def _require_writable(self) -> None:
        """Raise UsageError where what comes of the training cannot be kept."""
        require_writable(self._folder, Setting("out"))
        if self._options.audit:
            require_writable(self._folder / AUDITS, Setting("out"))
        require_writable(cache_folder(self._options.cache), Setting("cache"))

    def _require_free(self, session: TrainSession) -> None:
        """Raise UsageError where something lies that this training would replace, and nobody said so."""
        if self._overwrite:
            return
        lora = self._lora
        if not self._resume:
            for path, what in ((lora, "a LoRA"), (lora.with_suffix(".checkpoint"), "the checkpoint of a training")):
                if path.exists():
                    raise UsageError(
                        f"{path} is {what} already. Go on from it with --resume, replace it with --overwrite, or "
                        "choose another --name."
                    )
        beside = embedding_path(lora, session.concept.pure_trigger)
        if self._plan.method == "custom_diffusion" and beside.exists() and not is_embedding(beside):
            raise UsageError(f"The trigger's embedding would replace {beside}: choose another --name.")

    def _train_and_audit(self, session: TrainSession, choice: BaseChoice) -> int:
        options = self._options
        denoiser = load_chosen(
            choice,
            self._console,
            options.device,
            options.dtype,
            options.offline,
            options.keeping,
            clip_skip=options.clip_skip,
        )
        family = families.get(denoiser.family)
        require_trained(family, choice.path)
        names = base_names(choice)
        training = session.on(denoiser, names)
        self._plan = training.plan
        identity = training.identity()
        if not self._overwrite and is_another(self._lora, identity):
            raise UsageError(
                f"{self._lora} is a finished LoRA that was trained with other settings, pictures or base. "
                "Choose another --name, or replace it with --overwrite."
            )
        self._announce(" ".join([summary(training), *session.left_out(), *doubts(session), contradiction(choice)]))
        trained = self._train(training)
        if not trained.finished:
            return self._say_how_to_resume(trained)
        mark_finished(trained.path, identity)
        self._announce_result(trained)
        if options.audit:
            audit_and_tell(trained, denoiser, options, self._console, self._plan.prompt_form, names)
        return 0

    def _train(self, training: Training) -> Trained:
        options = self._options
        batch = default_batching(training.denoiser, takes_turns=options.keeping.takes_turns)
        if batch.workers > 1:
            torch.set_num_threads(1)
        networks = _networks(training.denoiser, options) if options.audit else None
        progress = train_progress(options.progress, self._console, self._plan.steps)
        with Curves(self._folder, self._name) as curves, progress, Interrupt() as interrupt:

            def watch(record: StepRecord) -> None:
                if not interrupt.patient:
                    self._begin(record.step)
                interrupt.patient = True
                progress.step(record)

            setting = TrainSetting(
                name=self._name,
                folder=self._folder,
                cache=cache_folder(options.cache),
                progress=progress,
                batch=batch,
                resume=self._resume,
                save_every=options.save_every,
                keeping=options.keeping,
                networks=networks,
                watch=watch,
                stop=lambda: interrupt.asked,
            )
            trained = training.train(setting, curves)
            write_curves(curves.records(), self._folder, self._name, self._plan.drift_budget)
        return trained

    def _begin(self, step: int) -> None:
        """Keep the options beside the LoRA, now that no checkpoint contradicts them; say where it starts."""
        write_config(self._folder / f"{self._name}.toml", self._plan, self._options)
        if self._resume and step > 1:
            self._announce(f"Continuing after step {step - 1}.")
        elif self._resume:
            self._announce(f"There is no checkpoint of {self._name} in {self._folder}: starting from the beginning.")

    def _announce(self, text: str) -> None:
        if self._options.progress != "none":
            self._console.print(text, highlight=False, markup=False)

    def _say_how_to_resume(self, trained: Trained) -> int:
        message = (
            f"Interrupted after step {trained.steps} of {self._plan.steps}; the checkpoint is saved. "
            "Run the same command with --resume to continue to the same bytes."
        )
        self._tell("interrupted", trained, message, INTERRUPTED)
        return INTERRUPTED

    def _announce_result(self, trained: Trained) -> None:
        drift = "" if trained.drift is None else f", drift {percent(trained.drift)} on held-out prompts"
        embedding = "" if trained.embedding is None else f" with {inert(str(trained.embedding), 4000)}"
        sentences = [f"Trained {inert(str(trained.path), 4000)}{embedding}{drift}."]
        sentences += above_budget(trained, self._plan, option)
        if trained.learning is not None:
            sentences.append(f"{trained.learning.decision}: {trained.learning.summary}.")
        self._tell("trained", trained, " ".join(sentences), 0)

    def _tell(self, event: str, trained: Trained, message: str, code: int) -> None:
        if self._options.progress == "json":
            embedding = None if trained.embedding is None else str(trained.embedding)
            emit(
                TrainingStopped(
                    event=event,
                    path=str(trained.path),
                    embedding=embedding,
                    steps=trained.steps,
                    drift=trained.drift,
                    learned=None if trained.learning is None else trained.learning.decision,
                    exit_code=code,
                )
            )
        if self._options.progress != "json" or event == "interrupted":
            self._console.print(message, highlight=False, markup=False, soft_wrap=True)


def _networks(denoiser: Denoiser, options: RunOptions) -> Networks:
    return lambda: load_networks(denoiser.family, Fetching(denoiser.device, options.offline))


def request_from(plan: TrainPlan, options: RunOptions, given: frozenset[str] = frozenset()) -> TrainRequest:
    """Return what the options ask for, some of which were given; raise UsageError for paths that cannot be used."""
    if options.validation and not plan.drift_every and not options.audit:
        raise UsageError(
            "--validation is measured whenever drift is, and in the audit: set --drift-every, or leave it."
        )
    return TrainRequest(
        plan,
        expanded(options.pictures, "pictures"),
        expanded(options.validation, "--validation") if options.validation else None,
        read_bank(expanded(options.bank, "--bank")) if options.bank else None,
        options.preset,
        given,
    )
