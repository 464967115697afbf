"""`dc`, drift correction: the base's own prediction on captions that do not name the concept.

The captions are those of the training pictures with the trigger taken out, and an open-world bank of prompts with
latents that the base drew. After Laria et al. (arXiv 2410.14159); the mixture is our definition.
"""

from collections.abc import Sequence

import numpy as np
import torch

from ...errors import Setting, UsageError
from ...plan.train_plan import term_rows
from ..data.rows import Draw, Rows
from .term import Question, Situation, Term, cycled

_ENTRY = 2**32
"""Steps from here on number the entries of the fixed set, so that no training step shares their noise."""


class DriftCorrection(Term):
    """A mixture of trigger-less captions on the concept's pictures and bank prompts on their own."""

    def __init__(self, situation: Situation, latents: torch.Tensor) -> None:
        self._situation, self._latents = situation, latents
        self._prompts = situation.bank.prompts[: len(latents)]
        strip, template = situation.concept.strip, situation.plan.caption
        stripped = tuple(sorted({strip(caption, template) for caption in situation.data.captions}))
        # What a caption is replaced by: of six, four from the bank, one trigger-less, one empty.
        self._others = tuple(kind for kind in (*(self._prompts,) * 4, stripped, ("",)) if kind)

    def questions(self, concept: Rows, draw: Draw) -> tuple[Question, ...]:
        """Return the mixed rows; the number of bank rows is the share of them, rounded at random."""
        return self.mixture(concept, draw, term_rows(self._situation.plan))

    def mixture(self, concept: Rows, draw: Draw, count: int) -> tuple[Question, ...]:
        """Return `count` rows of the mixture."""
        from_bank = int(self._situation.plan.bank_share * count + draw.generator("dc|share").random())
        parts = []
        if from_bank < count:
            parts.append(self._stripped(cycled(concept, count - from_bank)))
        if from_bank > 0:
            parts.append(self._from_bank(from_bank, draw))
        rng = draw.generator("dc|mismatch")
        return tuple(Question(rows.captioned(self._mismatched(rows.captions, rng)), None) for rows in parts)

    def _mismatched(self, captions: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Return the captions, a share of them replaced by one that belongs to other pictures, or to none."""
        share = self._situation.plan.mismatch
        return [self._other(rng) if rng.random() < share else caption for caption in captions]

    def _other(self, rng: np.random.Generator) -> str:
        kind = self._others[rng.integers(len(self._others))]
        return kind[rng.integers(len(kind))]

    def _stripped(self, rows: Rows) -> Rows:
        strip, template = self._situation.concept.strip, self._situation.plan.caption
        return rows.captioned([strip(caption, template) for caption in rows.captions])

    def _from_bank(self, count: int, draw: Draw) -> Rows:
        device, steps = self._situation.denoiser.device, self._situation.denoiser.schedule.steps
        places = draw.generator("dc|bank").integers(0, len(self._prompts), count)
        x0 = self._latents[torch.from_numpy(places)].to(device)
        eps = draw.noise(count, tuple(x0.shape[1:]), "dc|bank").to(device)
        t = draw.timesteps(count, steps, "dc|bank").to(device)
        return Rows(x0, eps, t, tuple(self._prompts[i] for i in places))


class CachedDriftCorrection(Term):
    """The same mixture drawn once: a fixed set of rows whose base predictions are kept, so no step asks the base."""

    def __init__(self, entries: list[Question], count: int) -> None:
        self._entries, self._count = entries, count

    def questions(self, concept: Rows, draw: Draw) -> tuple[Question, ...]:
        """Return random entries of the set, without repeats as long as there are enough, grouped by latent shape."""
        replace = self._count > len(self._entries)
        picked = draw.generator("dc|cache").choice(len(self._entries), self._count, replace=replace)
        shapes: dict[torch.Size, list[Question]] = {}
        for i in picked:
            shapes.setdefault(self._entries[i].rows.x0.shape[1:], []).append(self._entries[i])
        return tuple(_joined(questions, concept.x0.device) for questions in shapes.values())


def _joined(questions: list[Question], device: torch.device) -> Question:
    rows = [question.rows for question in questions]
    captions = tuple(caption for part in rows for caption in part.captions)
    x0, eps, t = (torch.cat([getattr(part, name) for part in rows]).to(device) for name in ("x0", "eps", "t"))
    targets = [question.target for question in questions if question.target is not None]
    return Question(Rows(x0, eps, t, captions), torch.cat(targets).to(device))


def _fixed_set(term: DriftCorrection, situation: Situation) -> list[Question]:
    """Return `teacher_cache` entries of one row each on the CPU, with the base's predictions."""
    entries = []
    denoiser, schedule = situation.denoiser, situation.denoiser.schedule
    with torch.no_grad(), situation.method.off():
        for number in range(situation.plan.teacher_cache):
            draw = Draw(situation.plan.seed, _ENTRY + number)
            concept = situation.data.rows(draw).take([0])
            rows = term.mixture(concept, draw, 1)[0].rows
            x_t = schedule.noise(rows.x0, rows.eps, rows.t).to(denoiser.dtype)
            target = denoiser.predict(x_t, rows.t, denoiser.encode_text(rows.captions)).float().cpu()
            entries.append(Question(Rows(rows.x0.cpu(), rows.eps.cpu(), rows.t.cpu(), rows.captions), target))
    return entries


def make(situation: Situation) -> Term:
    """Return the term; the base draws the bank's latents now, unless it did so before."""
    plan = situation.plan
    if plan.bank_share < 1:
        situation.concept.strip("", plan.caption)  # a class that is missing is noticed before the first step
    if plan.bank_share > 0 and not situation.bank.prompts:
        said = "Drift correction needs a bank of prompts: give one, or take no share of its rows from it."
        raise UsageError(said, Setting("bank"), Setting("bank_share", "0"))
    latents = torch.empty(0)
    if plan.bank_share > 0:
        prompts = situation.bank.prompts[: plan.bank_prompts or None]
        latents = situation.drawings.latents("Base: drawing the bank", prompts)
    term = DriftCorrection(situation, latents)
    return CachedDriftCorrection(_fixed_set(term, situation), term_rows(plan)) if plan.teacher_cache else term
