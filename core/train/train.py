"""One training, from pictures to a LoRA file."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from .. import families
from ..adapter import LoraCard
from ..audit.learned.evidence import drawn_rows
from ..errors import Setting, UsageError
from ..model.diffusion.denoiser import ToldInTraining, TrainableDenoiser
from ..model.diffusion.drawings import LatentCache
from ..model.diffusion.encodings import Encodings, kept_encodings
from ..model.memory import Keeping
from ..plan.concept import Concept
from ..verdict.learning import Learning, learning_facts
from .base_check import check_base
from .cost import all_rows
from .data.bank import Bank
from .data.concept import ConceptData
from .data.text_cache import TextCache
from .forms import FORMS
from .learned import learned
from .loop.balance import ConceptGain
from .loop.checkpoint import Checkpoint
from .loop.drift import DriftWatch
from .loop.loop import run_steps
from .loop.loss import LossMaker
from .loop.measure import Measurements
from .loop.repeatable import repeatable
from .loop.state import TrainState
from .loop.step import Step
from .metadata import add_metadata
from .methods.method import Method, attach
from .plan import TrainPlan, plan_data, plan_digest
from .preserve.term import Regularizer, TermContext, make_regularizer
from .records import Picture, Trained, TrainSetting


def train(
    denoiser: TrainableDenoiser,
    pictures: Sequence[Picture],
    bank: Bank,
    plan: TrainPlan,
    setting: TrainSetting,
    held_out: Sequence[Picture] = (),
) -> Trained:
    """Return what the training left behind; the base's modules are as before in any case.

    `held_out` are pictures of the concept for the validation loss, and what was learned is compared with them. It
    computes in the type of the base, and what is trained is float32. The same plan, pictures, bank and base give the
    same bytes on the same machine, resumed or not; on a GPU as far as torch has deterministic algorithms. Raises
    UsageError where plan, pictures or base do not fit together, and InvalidError for a base that is misread.
    """
    _require_torch()
    require_kept(plan, setting.keeping)
    identity = fingerprint(denoiser, pictures, bank, plan)
    setting.progress.total(all_rows(plan, bank, setting.usual) + _learned_rows(denoiser, bank, plan, setting))
    check_base(denoiser, bank, setting)
    setting.progress.stage("Encoding pictures")
    with kept_encodings(denoiser, setting.cache) as encodings:
        data = _data(encodings, pictures, plan)
        validation = _data(encodings, held_out, plan) if held_out else None
        denoiser.checkpoint_gradients(plan.checkpointing)
        method = attach(denoiser, plan)
        try:
            texts = _texts(encodings, method, (*pictures, *held_out), bank, plan, setting)
            terms, watch = _preservation(denoiser, method, data, texts, bank, plan, setting)
            state = TrainState(denoiser, method, plan, denoiser.dtype)
            checkpoint = Checkpoint(setting.folder / f"{setting.name}.checkpoint", identity, setting.save_every)
            if setting.resume:
                checkpoint.restore(state)
            losses = LossMaker(denoiser, method, texts, plan.min_snr, denoiser.dtype)
            step = Step(losses, data, terms, plan, setting.progress)
            gain = ConceptGain(losses, method, data) if plan.sets_weight else None
            measurements = Measurements(denoiser, losses, watch, validation, gain, plan, setting)
            with repeatable(denoiser.device):
                finished = run_steps(state, step, measurements, checkpoint, plan, setting)
            trained = _finish(state, method, denoiser, pictures, plan, setting, finished)
            if not finished or setting.networks is None:
                return trained
            with state.averaged():  # the file is there already: what comes now may take minutes and be interrupted
                learning = learned(denoiser, method.off, pictures, held_out, bank.form, plan, setting)
            return _knowing(trained, learning)
        finally:
            method.detach()
            denoiser.checkpoint_gradients(False)


def _learned_rows(denoiser: TrainableDenoiser, bank: Bank, plan: TrainPlan, setting: TrainSetting) -> int:
    """Return the rows of drawing what was learned; 0 where that is not measured."""
    if setting.networks is None:
        return 0
    return drawn_rows(Concept(plan.trigger, plan.class_word), denoiser.family, bank.form, setting.usual)


def _require_torch() -> None:
    """Raise UsageError for a torch that audits are content with, but that cannot scale gradients on any device."""
    if not hasattr(torch.amp, "GradScaler"):
        said = f"Training needs torch 2.3 or newer; this is {torch.__version__}."
        raise UsageError(said, Setting("install", "'owf[train]'"))


def require_kept(plan: TrainPlan, keeping: Keeping) -> None:
    """Raise UsageError where what is trained would be kept in a way in which it cannot be."""
    if plan.method == "custom_diffusion" and not keeping.is_plain:
        said = "Custom Diffusion trains the base's own weights, which must neither be rounded nor wait elsewhere."
        raise UsageError(said, Setting("offload", "none"), Setting("quantize", "none"))
    if plan.train_text_encoder and keeping.takes_turns:
        said = "Text encoders that are trained are asked in each step, and cannot wait in main memory."
        raise UsageError(said, Setting("offload", "none"))
    if keeping.quantize == "int8" and not plan.checkpointing:
        said = (
            "For the backward pass torchao keeps a whole copy of each weight of 8 bits, unless that is computed anew."
        )
        raise UsageError(said, Setting("checkpointing"), Setting("quantize", "nf4"))
    if plan.algorithm in ("loha", "lokr") and keeping.quantize == "nf4":
        said = f"PEFT cannot put {plan.algorithm} beside weights of 4 bits, whose shape it does not read."
        raise UsageError(said, Setting("algorithm", "lora"), Setting("quantize", "int8"))


def _data(encodings: Encodings, pictures: Sequence[Picture], plan: TrainPlan) -> ConceptData:
    captions, repeats = [p.caption for p in pictures], [p.repeats for p in pictures]
    return ConceptData(encodings, [p.pixels for p in pictures], captions, repeats, plan)


def _texts(
    encodings: Encodings,
    method: Method,
    pictures: Sequence[Picture],
    bank: Bank,
    plan: TrainPlan,
    setting: TrainSetting,
) -> TextCache:
    """Return the captions that steps ask, read ahead: text encoders that wait elsewhere need not come back for each.

    Where the method trains what reads them, they are read as they are asked, and stay in memory alone.
    """
    if method.trains_text:
        return TextCache(Encodings(encodings.denoiser))
    concept, found = Concept(plan.trigger, plan.class_word), TextCache(encodings)
    captions = [picture.caption for picture in pictures]
    bare = [concept.strip(caption, plan.caption) for caption in ("", *captions)]
    setting.progress.stage("Encoding captions")
    found.read([*captions, *bare, "", *(bank.prompts if plan.preserve else ())])
    return found


def _preservation(
    denoiser: TrainableDenoiser,
    method: Method,
    data: ConceptData,
    texts: TextCache,
    bank: Bank,
    plan: TrainPlan,
    setting: TrainSetting,
) -> tuple[dict[str, Regularizer], DriftWatch | None]:
    """Return the plan's terms by name, and the watch over drift if the plan wants one."""
    drawings = LatentCache(denoiser, setting.cache, setting.batch, setting.progress, bank.form.negative, setting.usual)
    concept = Concept(plan.trigger, plan.class_word)
    context = TermContext(denoiser, method, plan, concept, bank, drawings, data, texts)
    with method.off():
        terms = {name: make_regularizer(name, context) for name in plan.preserve}
    if not plan.drift_every:
        return terms, None
    return terms, DriftWatch(denoiser, method, bank.watched, drawings, setting.batch, setting.usual.own_steps)


def fingerprint(denoiser: TrainableDenoiser, pictures: Sequence[Picture], bank: Bank, plan: TrainPlan) -> str:
    """Return the SHA-256 over everything that determines the result."""
    sha = hashlib.sha256(f"{denoiser.digest()}|{plan_digest(plan)}|{bank.digest()}|{denoiser.dtype}".encode())
    for picture in pictures:
        sha.update(f"{tuple(picture.pixels.shape)}|{picture.caption}|{picture.repeats}|".encode())
        sha.update(picture.pixels.numpy().tobytes())
    return sha.hexdigest()


def _finish(
    state: TrainState,
    method: Method,
    denoiser: TrainableDenoiser,
    pictures: Sequence[Picture],
    plan: TrainPlan,
    setting: TrainSetting,
    finished: bool,
) -> Trained:
    """Write the LoRA, also that of an interrupted training, and return what there is."""
    path = setting.folder / f"{setting.name}.safetensors"
    facts = (*_facts(state, pictures, plan), *_told(denoiser))
    concept = Concept(plan.trigger, plan.class_word)
    family, side = families.get(denoiser.family), plan.resolution or denoiser.resolution
    card = LoraCard(
        setting.name,
        family,
        (concept.phrase,),
        base_model=denoiser.name,
        resolution=(side, side),
        clip_skip=denoiser.clip_skip,
        prediction_type=denoiser.schedule.prediction_type,
        facts=facts,
    )
    with state.averaged():
        embedding = method.write(path, card)
    return Trained(path, embedding, state.step, finished, state.drift, facts)


def _knowing(trained: Trained, learning: Learning) -> Trained:
    """Return the training with what it learned, which stands in its file then too."""
    found = learning_facts(learning)
    add_metadata(trained.path, found)
    return replace(trained, learning=learning, facts=(*trained.facts, *found.items()))


def _told(denoiser: TrainableDenoiser) -> tuple[tuple[str, str], ...]:
    """Return metadata of what the base was told besides captions, and of how its timesteps were drawn, where it is one
    of those for which this is not plain."""
    told = dict(denoiser.told_in_training) if isinstance(denoiser, ToldInTraining) else {}
    if denoiser.schedule.prediction_type == "flow":
        told["owf.timesteps"] = "logit-normal, shifted as the base's sampler"
    return tuple(told.items())


def _facts(state: TrainState, pictures: Sequence[Picture], plan: TrainPlan) -> tuple[tuple[str, str], ...]:
    tags = Counter({p.caption: 0 for p in pictures})
    for picture in pictures:
        tags[picture.caption] += picture.repeats
    facts = {
        "ss_num_train_images": str(sum(p.repeats for p in pictures)),
        "ss_steps": str(state.step),
        "ss_max_train_steps": str(plan.steps),
        "ss_learning_rate": str(plan.rate),
        "ss_seed": str(plan.seed),
        "ss_batch_size_per_device": str(plan.batch),
        "ss_gradient_accumulation_steps": str(plan.accumulate),
        "ss_optimizer": plan.optimizer,
        "ss_lr_scheduler": plan.rate_schedule,
        "ss_tag_frequency": json.dumps({f"1_{plan.trigger}": dict(tags)}),
        "owf.plan": json.dumps(plan_data(plan), sort_keys=True),
        "owf.preserve": ",".join(plan.preserve) or "none",
    }
    facts |= FORMS[plan.algorithm].facts
    if state.drift is not None:
        facts["owf.watched_drift"] = f"{state.drift:.6g}"
    return tuple(facts.items())
