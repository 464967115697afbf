"""One training, whichever host asks for it: from what is asked to the LoRA's file."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .. import families
from ..datasets.dataset import require_trainable
from ..errors import OFF, Setting, UsageError, naming
from ..families.prompt_form import PromptForm
from ..model.diffusion.denoiser import TrainableDenoiser
from ..plan.concept import Concept
from .curves import Curves
from .data.bank import Bank, make_bank, read_bank, shipped_bank
from .data.concept import load_pictures
from .data.images import TrainingImage, read_images, survey
from .metadata import add_metadata, read_metadata
from .plan import TrainPlan, plan_digest
from .records import Picture, StepRecord, Trained, TrainSetting
from .train import fingerprint, train

RUN = "owf.run"
"""Metadata key of a finished LoRA's `Training.identity`."""


@dataclass(frozen=True)
class TrainRequest:
    """What is asked of a training."""

    plan: TrainPlan
    """How it goes."""
    pictures: Path | tuple[Picture, ...]
    """Folder of training pictures, or pictures in the shapes of their buckets."""
    validation: Path | None = None
    """Folder of held-out pictures of the concept: their loss is watched, and what was learned compared with them."""
    bank: tuple[str, ...] | None = None
    """Concept-free prompts; None for those that ship for the base's family."""
    recipe: str = ""
    """Name of the family's recipe that sets the length and speed; empty leaves the plan as it is."""
    given: frozenset[str] = frozenset()
    """Fields of the plan that somebody chose, which recipe and family leave alone."""


class TrainSession:
    """A training before its base: what can be refused is refused before one is loaded."""

    def __init__(self, request: TrainRequest) -> None:
        """Survey the pictures; raise UsageError where they or the class are missing, or a caption cannot be read."""
        self.request = request
        self.concept = Concept(request.plan.trigger, request.plan.class_word)
        if any(term.needs_class for term in request.plan.terms):
            self.concept.require_class()
        self._folders = [folder for folder in (request.pictures, request.validation) if isinstance(folder, Path)]
        for folder in self._folders:
            require_trainable(folder)
        self.images = self._images(request.pictures) if isinstance(request.pictures, Path) else ()
        with naming(Setting("validation")):
            self._held_out = self._images(request.validation) if request.validation is not None else ()

    def _bank(self, family: str, form: PromptForm) -> Bank:
        own, plan = self.request.bank, self.request.plan
        if own is not None:
            return replace(make_bank(own, self.concept, plan.bank_prompts), form=form)
        shipped = read_bank(shipped_bank(family, form.name))
        return make_bank(shipped, self.concept, plan.bank_prompts).put(form)

    def _images(self, folder: Path) -> tuple[TrainingImage, ...]:
        return read_images(folder, self.concept, self.request.plan.caption)

    def left_out(self) -> list[str]:
        """Return what in the folders is not used, or not as its owner may think, a sentence each."""
        return [sentence for folder in self._folders for sentence in survey(folder).sentences(folder)]

    def on(self, denoiser: TrainableDenoiser, names: Sequence[str] = ()) -> "Training":
        """Return the training on a base; raise UsageError where it has no LoRA format or the bank is too small.

        `names` are further names of the base, by which the language of the bank is told. Prompts of the user's own are
        taken as they are.
        """
        known, given = (denoiser.name, *names), self.request.pictures
        family = families.get(denoiser.family)  # said before hours of training
        plan, bank = self.planned(family, known)
        return Training(
            denoiser,
            plan,
            bank,
            given if isinstance(given, tuple) else _pictures(self.images, denoiser, plan),
            _pictures(self._held_out, denoiser, plan),
            self.images,
            family.drawing(known),
        )

    def planned(self, family: families.Family, names: Sequence[str]) -> tuple[TrainPlan, Bank]:
        """Return the plan as it is on a base of a family, and its bank; `names` are the base's. Raises as `on` does."""
        plan = self._suited(family)
        _require_trainable_parts(family, plan)
        return plan, self._bank(family.name, family.prompt_form(plan.prompt_form, names))

    def _suited(self, family: families.Family) -> TrainPlan:
        """Return the plan with what the family, or a recipe of it, sets; raise UsageError where it has none."""
        request = self.request
        sets: dict[str, object] = {}
        sets["targets"] = usual_targets(family, request.plan)
        if request.recipe:
            recipe = dict(family.recipes).get(request.recipe)
            if recipe is None:
                said = f"There is no recipe {request.recipe} for {family.title}: say steps and rate yourself."
                raise UsageError(said, Setting("steps"), Setting("rate"))
            sets |= asdict(recipe)
        return replace(request.plan, **{name: value for name, value in sets.items() if name not in request.given})


def usual_targets(family: families.Family, plan: TrainPlan) -> str:
    """Return the layers that a plan trains on a base of a family where nobody chose any."""
    if family.pipeline is None or plan.targets != families.ATTENTION:
        return plan.targets
    return family.pipeline.targets.usual


def require_trained(family: families.Family, base: str) -> None:
    """Raise UsageError for a base, called so, of a family on which no training was shown to run."""
    if not family.trains:
        raise UsageError(f"{base} is a base of {family.title}, on which audits run, and training not yet.")


def _require_trainable_parts(family: families.Family, plan: TrainPlan) -> None:
    """Raise UsageError where a plan trains what is not trained of a family, or its pictures do not fit the latents."""
    pipeline = family.pipeline
    if pipeline is None:
        return
    if not pipeline.is_read_by_clip and plan.train_text_encoder:
        said = f"The text encoders of {family.title} are not trained; its transformer is, alone."
        raise UsageError(said, Setting("train_text_encoder", OFF))
    if not pipeline.is_read_by_clip and plan.method != "dreambooth_lora":
        said = f"Custom Diffusion trains the cross-attention of a U-Net and a word; {family.title} has no such layers."
        raise UsageError(said, Setting("method", "dreambooth_lora"))
    if plan.resolution % pipeline.multiple or plan.bucket % pipeline.multiple:
        said = f"Resolution and bucket must be multiples of {pipeline.multiple} for {family.title}."
        raise UsageError(said, Setting("resolution"), Setting("bucket"))


def _pictures(images: tuple[TrainingImage, ...], denoiser: TrainableDenoiser, plan: TrainPlan) -> tuple[Picture, ...]:
    pixels = load_pictures(images, plan.resolution or denoiser.resolution, plan.bucket)
    return tuple(Picture(p, image.caption, image.repeats) for p, image in zip(pixels, images, strict=True))


@dataclass(frozen=True)
class Training:
    """A training on its base, all of it read."""

    denoiser: TrainableDenoiser
    """The base."""
    plan: TrainPlan
    """How it goes."""
    bank: Bank
    """Concept-free prompts."""
    pictures: tuple[Picture, ...]
    """What is learned from."""
    held_out: tuple[Picture, ...]
    """Pictures of the validation loss."""
    images: tuple[TrainingImage, ...]
    """The files of `pictures`; none where these were given."""
    usual: families.Drawing = families.USUAL
    """How people draw with the base."""

    def fingerprint(self) -> str:
        """Return the SHA-256 over everything that determines the bytes, as checkpoints have it."""
        return fingerprint(self.denoiser, self.pictures, self.bank, self.plan)

    def identity(self) -> str:
        """Return the SHA-256 over plan, base and the type it computes in, bank and picture files.

        A finished LoRA holds it (see `is_another`). `fingerprint` covers the pixels that were made of the files; this
        covers the files as they lie, and stays the same whatever pixels are made of them. Pictures that were given as
        pixels are in `fingerprint` only.
        """
        sha = hashlib.sha256(f"{plan_digest(self.plan)}|{self.denoiser.digest()}|{self.denoiser.dtype}|".encode())
        sha.update(self.bank.digest().encode())  # the one that ships changes with releases
        for image in self.images:
            sha.update(f"|{image.caption}|{image.repeats}|".encode(errors="replace") + image.path.read_bytes())
        return sha.hexdigest()

    def train(self, setting: TrainSetting, curves: Curves) -> Trained:
        """Return what was trained; every step is logged before `setting` hears of it."""

        def watch(record: StepRecord) -> None:
            curves.add(record)
            setting.watch(record)

        logged = replace(setting, watch=watch, usual=self.usual)
        return train(self.denoiser, self.pictures, self.bank, self.plan, logged, self.held_out)


def is_another(path: Path, identity: str) -> bool:
    """Return whether a finished LoRA lies at `path` that was trained with anything else; see `Training.identity`."""
    if not path.exists():
        return False
    facts = read_metadata(path)
    unfinished = "owf.plan" in facts and RUN not in facts
    return not unfinished and facts.get(RUN) != identity


def mark_finished(path: Path, identity: str) -> None:
    """Write into a LoRA that it is finished, and by what it was trained."""
    add_metadata(path, {RUN: identity})
