"""What a training is about to do, in one paragraph, and what came of it."""

from collections import Counter
from collections.abc import Callable, Sequence

from ..errors import Setting, with_words
from ..model.diffusion.batch import Batching
from ..model.diffusion.speed import estimate
from ..text import counted, inert, percent
from ..verdict.outcome import said
from .cost import BACKWARD, drawings, drawn_rows, rows_until, step_rows, teacher_rows
from .data.bank import Bank
from .forms import FORMS
from .plan import TrainPlan
from .records import Picture, StepRecord, Trained
from .session import Training, TrainSession


def summary(training: Training) -> str:
    """Return the paragraph; the time in it is estimated from one batch through the UNet."""
    denoiser, bank, plan = training.denoiser, training.bank, training.plan
    pictures = training.pictures
    sentences = [_pictures(pictures), _length(pictures, plan), _preservation(bank, plan), _time(training)]
    base = f"Base {inert(denoiser.name)} on {denoiser.device} ({denoiser.dtype})."
    return " ".join([base, *sentences, *_distilled(training)])


def doubts(session: TrainSession) -> list[str]:
    """Return what is odd about the captions and the file to be written, a sentence each."""
    found, images, concept = [], session.images, session.concept
    unnamed = sum(not concept.named_in(image.caption) for image in images)
    if unnamed:
        word = inert(concept.pure_trigger, 80)
        found.append(f"{unnamed} of {len(images)} captions do not name the trigger {word!r}.")
    portability = FORMS[session.request.plan.algorithm].portability
    return [*found, portability] if portability else found


def notes(
    trained: Trained, plan: TrainPlan, records: Sequence[StepRecord], word: Callable[[Setting], str]
) -> list[str]:
    """Return what came of a training, a sentence each; `word` is what the host calls a setting."""
    losses = [record.loss for record in records]
    last = losses[-max(1, len(losses) // 10) :]
    terms = ", ".join(f"{name} (weight {weight:.3g})" for name, weight in records[-1].weights.items())
    found = [
        f"Saved as {trained.path.name}.",
        f"{counted(trained.steps, 'step')} of {counted(plan.batch, 'picture')}, rank {plan.rank}; "
        f"mean loss of the last {len(last)}: {sum(last) / len(last):.3g}.",
        f"Preserved by {terms or 'nothing'}.",
    ]
    if trained.drift is not None:
        found.append(f"Drift on held-out prompts: {percent(trained.drift)}.")
    learned = [] if trained.learning is None else [said(trained.learning, word)]
    return [*learned, *found, *above_budget(trained, plan, word)]


def above_budget(trained: Trained, plan: TrainPlan, word: Callable[[Setting], str]) -> list[str]:
    """Return what to change where drift ended above the budget; nothing elsewhere."""
    if not trained.is_above(plan.drift_budget):
        return []
    text = (
        f"That is above the budget of {percent(plan.drift_budget)}: start from a higher weight, measure more often, or "
    )
    settings = Setting("dc_weight"), Setting("drift_every"), Setting("rate")
    return [with_words(f"{text}learn at a lower rate.", settings, word)]


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
    length = f"{counted(plan.steps, 'step')}, {epochs:.3g} epochs"
    return f"{length}, {rows} rows of the denoiser with gradients{teacher} a step{often}."


def _preservation(bank: Bank, plan: TrainPlan) -> str:
    if not plan.preserve:
        return "Nothing is preserved."
    terms = ", ".join(f"{term} ({_weight(plan, term)})" for term in plan.preserve)
    budget = f", aiming at a drift of {percent(plan.drift_budget)}" if plan.drift_budget else ""
    left_out = f", {len(bank.left_out)} left out" if bank.left_out else ""
    asked = f" The bank has {len(bank.prompts)} prompts and {len(bank.watched)} held out to watch drift{left_out}."
    tags = f" It is in tags, drawn away from {bank.form.negative!r}." if bank.form.negative else ""
    return f"Preserved by {terms}{budget}.{asked}{tags}"


def _weight(plan: TrainPlan, term: str) -> str:
    if term == "dc" and plan.sets_weight:
        return f"lightly for {counted(plan.learning_steps, 'step')}, then as strongly as the concept allows"
    return f"weight {plan.weight(term):g}"


def _fullest(plan: TrainPlan) -> int:
    """Return the last step in which the terms have their turn: all of them do."""
    return (plan.steps - 1) // plan.preserve_every * plan.preserve_every


def _distilled(training: Training) -> list[str]:
    """Return what to know of a base that was distilled to few steps, a sentence each."""
    if not training.usual.is_distilled:
        return []
    return [
        f"People draw with this base in {counted(training.usual.steps, 'step')}, to which it was distilled: a training "
        "undoes that little by little. Where there is a base that is not distilled, train on that one."
    ]


def _time(training: Training) -> str:
    denoiser, bank, plan = training.denoiser, training.bank, training.plan
    teacher = sum(teacher_rows(plan, step) for step in range(plan.steps))
    rows = BACKWARD * rows_until(plan, plan.steps) + teacher
    cost = estimate(denoiser, Batching(step_rows(plan, _fullest(plan)) // plan.accumulate))
    drawn = drawings(plan, bank)
    rows_drawn = drawn_rows(plan, bank, training.usual)
    before = f", after {cost.minutes(rows_drawn):.1f} for {drawn} drawings that are then cached"
    return f"About {cost.minutes(rows):.1f} minutes{before if drawn else ''}."
