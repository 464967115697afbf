"""What a training is about to do, in one paragraph."""

from collections import Counter
from collections.abc import Sequence

from ...core.model.batch import Batching
from ...core.model.denoiser import Denoiser
from ...core.model.speed import estimate
from ...core.text import counted, inert
from ...core.train.cost import drawings, rows_until, step_rows, teacher_rows
from ...core.train.data.bank import Bank
from ...core.train.data.drawings import SAMPLING
from ...core.train.methods.forms import FORMS
from ...core.train.plan import TrainPlan
from ...core.train.records import Picture
from ...core.train.session import Training, TrainSession

_BACKWARD = 3
"""A row with gradients costs about three rows without."""


def summary(training: Training) -> str:
    """Return the paragraph; the time in it is estimated from one batch through the UNet."""
    denoiser, bank, plan = training.denoiser, training.bank, training.plan
    pictures = training.pictures
    sentences = [_pictures(pictures), _length(pictures, plan), _preservation(bank, plan), _time(denoiser, bank, plan)]
    return f"Base {inert(denoiser.name)} on {denoiser.device} ({denoiser.dtype}). " + " ".join(sentences)


def doubts(session: TrainSession) -> list[str]:
    """Return what is odd about the captions and the file to be written, a sentence each."""
    found, images, concept = [], session.images, session.concept
    unnamed = sum(not concept.named_in(image.caption) for image in images)
    if unnamed:
        word = inert(concept.pure_trigger, 80)
        found.append(f"{unnamed} of {len(images)} captions do not name the trigger {word!r}.")
    portability = FORMS[session.request.plan.algorithm].portability
    return [*found, portability] if portability else found


def _pictures(pictures: Sequence[Picture]) -> str:
    shapes = Counter(tuple(p.pixels.shape[1:]) for p in pictures)
    buckets = ", ".join(f"{count} of {width}x{height}" for (height, width), count in shapes.most_common(4))
    more = f" and {len(shapes) - 4} more shapes" if len(shapes) > 4 else ""
    epoch = sum(p.repeats for p in pictures)
    return f"{counted(len(pictures), 'picture')} ({buckets}{more}), {epoch} an epoch with repeats."


def _length(pictures: Sequence[Picture], plan: TrainPlan) -> str:
    epochs = plan.steps * plan.batch * plan.accumulate / sum(p.repeats for p in pictures)
    step = _fullest(plan)
    rows, asked = step_rows(plan, step), teacher_rows(plan, step)
    teacher = f" and {asked} of the base" if asked else ""
    often = f" at every {plan.preserve_every}. step" if plan.preserve and plan.preserve_every > 1 else ""
    return (
        f"{counted(plan.steps, 'step')}, {epochs:.3g} epochs, {rows} UNet rows with gradients{teacher} a step{often}."
    )


def _preservation(bank: Bank, plan: TrainPlan) -> str:
    if not plan.preserve:
        return "Nothing is preserved."
    terms = ", ".join(f"{term} ({_weight(plan, term)})" for term in plan.preserve)
    budget = f", aiming at a drift of {plan.drift_budget:.2%}" if plan.drift_budget else ""
    left_out = f", {len(bank.left_out)} left out" if bank.left_out else ""
    asked = f" The bank has {len(bank.prompts)} prompts and {len(bank.watched)} held out to watch drift{left_out}."
    return f"Preserved by {terms}{budget}.{asked}"


def _weight(plan: TrainPlan, term: str) -> str:
    if term == "dc" and plan.sets_weight:
        return f"after {counted(plan.learning_steps, 'step')} that only learn, as strongly as the concept allows"
    return f"weight {plan.weight(term):g}"


def _fullest(plan: TrainPlan) -> int:
    """Return the last step in which the terms have their turn: all of them do."""
    return (plan.steps - 1) // plan.preserve_every * plan.preserve_every


def _time(denoiser: Denoiser, bank: Bank, plan: TrainPlan) -> str:
    teacher = sum(teacher_rows(plan, step) for step in range(plan.steps))
    rows = _BACKWARD * rows_until(plan, plan.steps) + teacher
    cost = estimate(denoiser, Batching(step_rows(plan, _fullest(plan)) // plan.accumulate))
    drawn = drawings(plan, bank)
    before = f", after {cost.minutes(drawn * SAMPLING.rows):.1f} for {drawn} drawings that are then cached"
    return f"About {cost.minutes(rows):.1f} minutes{before if drawn else ''}."
