"""One training from folders to an audited LoRA."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ...core import families
from ...core.demo import DEMO_BASE
from ...core.disk.lock import only_one
from ...core.disk.places import expanded
from ...core.errors import UsageError
from ...core.model.base import BaseChoice, choose_base
from ...core.model.batch import Batch, default_batch
from ...core.model.denoiser import TrainableDenoiser
from ...core.render.pictures.curves import write_curves
from ...core.text import inert
from ...core.train.curves import Curves
from ...core.train.data.bank import DEFAULT, DEMO, Bank, make_bank, read_bank
from ...core.train.data.captions import Concept
from ...core.train.data.concept import load_pictures
from ...core.train.data.images import TrainingImage, read_images, survey
from ...core.train.metadata import add_metadata, read_metadata
from ...core.train.methods.custom_diffusion import embedding_path, is_embedding
from ...core.train.plan import TrainPlan, plan_digest
from ...core.train.records import Picture, StepRecord, Trained, TrainSetting
from ...core.train.train import train
from ..command import INTERRUPTED
from ..events import TrainingStopped, emit
from ..paths import cache_folder
from ..session import load_chosen
from .audit import audit_trained
from .config import write_config
from .interrupt import Interrupt
from .options import RunOptions
from .progress import train_progress
from .summary import doubts, summary

RUN = "owf.run"
"""Metadata key of the digest over everything that a finished LoRA was trained with."""


class TrainSession:
    """Everything between the options and the finished LoRA."""

    def __init__(self, plan: TrainPlan, options: RunOptions, *, resume: bool, overwrite: bool) -> None:
        from rich.console import Console

        self._plan, self._options, self._resume, self._overwrite = plan, options, resume, overwrite
        self._concept = Concept(plan.trigger, plan.class_word)
        self._name = options.file_name(self._concept.phrase)
        self._folder = expanded(options.out, "--out")
        self._console = Console(stderr=options.progress == "json")

    def run(self) -> int:
        """Train and audit; return 0, or 130 if the training was interrupted."""
        self._require_class()
        images = self._images(self._options.pictures)
        choice = choose_base(str(DEMO_BASE) if self._options.demo_base else self._options.base, None)
        self._require_free()
        self._folder.mkdir(parents=True, exist_ok=True)
        with only_one(self._folder, f".{self._name}.lock"):
            return self._train_and_audit(images, choice)

    def _train_and_audit(self, images: Sequence[TrainingImage], choice: BaseChoice) -> int:
        options = self._options
        denoiser = load_chosen(choice, self._console, options.device, options.dtype, options.offline)
        families.get(denoiser.family)  # a base without a family has no LoRA format: said before hours of training
        run = self._digest(images, denoiser)
        self._require_no_other(run)
        trained = self._train(denoiser, images)
        if not trained.finished:
            return self._say_how_to_resume(trained)
        add_metadata(trained.path, {RUN: run})
        self._announce_result(trained)
        if options.audit:
            audit_trained(trained.path, denoiser, default_batch(denoiser), options, self._console)
        return 0

    def _require_class(self) -> None:
        """Raise UsageError early where a term needs the class and there is none."""
        plan = self._plan
        if any(term.needs_class for term in plan.terms):
            self._concept.require_class()
        if self._options.validation and not plan.drift_every:
            raise UsageError("--validation is measured whenever drift is: set --drift-every, or leave it out.")

    def _images(self, folder: str) -> tuple[TrainingImage, ...]:
        return read_images(expanded(folder, "--pictures"), self._concept, self._plan.caption)

    def _bank(self, family: str) -> Bank:
        shipped = DEMO if family == "demo" else DEFAULT
        path = expanded(self._options.bank, "--bank") if self._options.bank else shipped
        return make_bank(read_bank(path), self._concept, self._plan.bank_prompts)

    def _digest(self, images: Sequence[TrainingImage], denoiser: TrainableDenoiser) -> str:
        """Return the SHA-256 over plan, base and the type it computes in, bank and pictures."""
        sha = hashlib.sha256(f"{plan_digest(self._plan)}|{denoiser.digest()}|{denoiser.dtype}|".encode())
        sha.update(self._bank(denoiser.family).digest().encode())  # the one that ships changes with releases
        for image in images:
            sha.update(f"|{image.caption}|{image.repeats}|".encode(errors="replace") + image.path.read_bytes())
        return sha.hexdigest()

    def _require_free(self) -> None:
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
        beside = embedding_path(lora, self._concept.pure_trigger)
        if self._plan.method == "custom_diffusion" and beside.exists() and not is_embedding(beside):
            raise UsageError(f"The trigger's embedding would replace {beside}: choose another --name.")

    @property
    def _lora(self) -> Path:
        return self._folder / f"{self._name}.safetensors"

    def _require_no_other(self, run: str) -> None:
        """Raise UsageError where a finished LoRA lies that this training would replace by another."""
        path = self._lora
        if self._overwrite or not path.exists():
            return
        facts = read_metadata(path)
        unfinished = "owf.plan" in facts and RUN not in facts
        if not unfinished and facts.get(RUN) != run:
            raise UsageError(
                f"{path} is a finished LoRA that was trained with other settings, pictures or base. "
                "Choose another --name, or replace it with --overwrite."
            )

    def _train(self, denoiser: TrainableDenoiser, images: Sequence[TrainingImage]) -> Trained:
        plan, options = self._plan, self._options
        pictures = self._pictures(denoiser, images)
        held_out = self._pictures(denoiser, self._images(options.validation)) if options.validation else ()
        bank = self._bank(denoiser.family)
        batch = default_batch(denoiser)
        if batch.workers > 1:
            torch.set_num_threads(1)
        odd = doubts(expanded(options.pictures, "--pictures"), images, self._concept, plan)
        if options.validation:
            held_out_folder = expanded(options.validation, "--validation")
            odd += survey(held_out_folder).sentences(held_out_folder)
        self._announce(" ".join([summary(denoiser, pictures, bank, plan), *odd]))
        progress = train_progress(options.progress, self._console, plan.steps)
        with Curves(self._folder, self._name) as curves, progress, Interrupt() as interrupt:

            def watch(record: StepRecord) -> None:
                if not interrupt.patient:
                    self._begin(record.step)
                interrupt.patient = True
                curves.add(record)
                progress.step(record)

            setting = self._setting(denoiser, batch, held_out, progress, interrupt, watch)
            trained = train(denoiser, pictures, bank, plan, setting)
            write_curves(curves.records(), self._folder, self._name, plan.drift_budget)
        return trained

    def _pictures(self, denoiser: TrainableDenoiser, images: Sequence[TrainingImage]) -> tuple[Picture, ...]:
        pixels = load_pictures(images, self._plan.resolution or denoiser.resolution, self._plan.bucket)
        return tuple(Picture(p, image.caption, image.repeats) for p, image in zip(pixels, images, strict=True))

    def _setting(
        self,
        denoiser: TrainableDenoiser,
        batch: Batch,
        held_out: tuple[Picture, ...],
        progress: Any,
        interrupt: Interrupt,
        watch: Any,
    ) -> TrainSetting:
        return TrainSetting(
            name=self._name,
            folder=self._folder,
            cache=cache_folder(self._options.cache),
            progress=progress,
            batch=batch,
            precision=denoiser.dtype,
            resume=self._resume,
            save_every=self._options.save_every,
            watch=watch,
            stop=lambda: interrupt.asked,
            validation=held_out,
        )

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
        drift = "" if trained.drift is None else f", drift {trained.drift:.2%} on held-out prompts"
        embedding = "" if trained.embedding is None else f" with {inert(str(trained.embedding), 4000)}"
        above = self._above_budget(trained)
        self._tell("trained", trained, f"Trained {inert(str(trained.path), 4000)}{embedding}{drift}.{above}", 0)

    def _above_budget(self, trained: Trained) -> str:
        budget = self._plan.drift_budget
        if not budget or trained.drift is None or trained.drift <= budget:
            return ""
        return (
            f" That is above the budget of {budget:.2%}: start from a higher --dc-weight, measure more often with "
            "--drift-every, or lower --rate."
        )

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
                    exit_code=code,
                )
            )
        if self._options.progress != "json" or event == "interrupted":
            self._console.print(message, highlight=False, markup=False, soft_wrap=True)
