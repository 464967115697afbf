"""`dc`, drift correction: the base's own prediction on captions that do not name the concept.

The captions are those of the training pictures with the trigger taken out, and an open-world bank of prompts with
latents that the base drew. After Laria et al. (arXiv 2410.14159); the mixture is our definition.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import Setting, UsageError
from .term import Examples, Regularizer, Term, TermContext

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ..data.bank import Bank
    from ..data.rows import Draw, Rows
    from ..plan import TrainPlan

_ENTRY = 2**32
"""Steps from here on number the entries of the fixed set, so that no training step shares their noise."""


class DriftCorrection(Regularizer):
    """A mixture of trigger-less captions on the concept's pictures and bank prompts on their own."""

    def __init__(self, context: TermContext, latents: "torch.Tensor") -> None:
        self._context, self._latents = context, latents
        self._prompts = context.bank.prompts[: len(latents)]
        strip, template = context.concept.strip, context.plan.caption
        stripped = tuple(sorted({strip(caption, template) for caption in context.data.captions}))
        # What a caption is replaced by: of six, four from the bank, one trigger-less, one empty.
        self._others = tuple(kind for kind in (*(self._prompts,) * 4, stripped, ("",)) if kind)

    def examples(self, concept: "Rows", draw: "Draw") -> tuple[Examples, ...]:
        """Return the mixed rows; the number of bank rows is the share of them, rounded at random."""
        return self.mixture(concept, draw, self._context.plan.term_rows)

    def mixture(self, concept: "Rows", draw: "Draw", count: int) -> tuple[Examples, ...]:
        """Return `count` rows of the mixture."""
        from_bank = int(self._context.plan.bank_share * count + draw.generator("dc|share").random())
        parts = []
        if from_bank < count:
            parts.append(self._stripped(concept.cycled(count - from_bank)))
        if from_bank > 0:
            parts.append(self._from_bank(from_bank, draw))
        rng = draw.generator("dc|mismatch")
        return tuple(Examples(rows.captioned(self._mismatched(rows.captions, rng)), None) for rows in parts)

    def _mismatched(self, captions: Sequence[str], rng: "np.random.Generator") -> list[str]:
        """Return the captions, a share of them replaced by one that belongs to other pictures, or to none."""
        share = self._context.plan.mismatch
        return [self._other(rng) if rng.random() < share else caption for caption in captions]

    def _other(self, rng: "np.random.Generator") -> str:
        kind = self._others[rng.integers(len(self._others))]
        return kind[rng.integers(len(kind))]

    def _stripped(self, rows: "Rows") -> "Rows":
        strip, template = self._context.concept.strip, self._context.plan.caption
        return rows.captioned([strip(caption, template) for caption in rows.captions])

    def _from_bank(self, count: int, draw: "Draw") -> "Rows":
        import torch

        from ..data.rows import Rows

        device, schedule = self._context.denoiser.device, self._context.denoiser.schedule
        places = draw.generator("dc|bank").integers(0, len(self._prompts), count)
        x0 = self._latents[torch.from_numpy(places)].to(device)
        eps = draw.noise(count, tuple(x0.shape[1:]), "dc|bank").to(device)
        t = draw.timesteps(count, schedule, "dc|bank").to(device)
        return Rows(x0, eps, t, tuple(self._prompts[i] for i in places))


class CachedDriftCorrection(Regularizer):
    """The same mixture drawn once: a fixed set of rows whose base predictions are kept, so no step asks the base."""

    def __init__(self, entries: list[Examples], count: int) -> None:
        self._entries, self._count = entries, count

    def examples(self, concept: "Rows", draw: "Draw") -> tuple[Examples, ...]:
        """Return random entries of the set, without repeats as long as there are enough, grouped by latent shape."""
        replace = self._count > len(self._entries)
        picked = draw.generator("dc|cache").choice(len(self._entries), self._count, replace=replace)
        shapes: dict[torch.Size, list[Examples]] = {}
        for i in picked:
            shapes.setdefault(self._entries[i].rows.x0.shape[1:], []).append(self._entries[i])
        return tuple(_joined(examples, concept.x0.device) for examples in shapes.values())


def _joined(examples: list[Examples], device: "torch.device") -> Examples:
    import torch

    from ..data.rows import Rows

    rows = [part.rows for part in examples]
    captions = tuple(caption for part in rows for caption in part.captions)
    x0, eps, t = (torch.cat([getattr(part, name) for part in rows]).to(device) for name in ("x0", "eps", "t"))
    targets = [part.target for part in examples if part.target is not None]
    return Examples(Rows(x0, eps, t, captions), torch.cat(targets).to(device))


def _fixed_set(term: DriftCorrection, context: TermContext) -> list[Examples]:
    """Return `teacher_cache` entries of one row each on the CPU, with the base's predictions."""
    import torch

    from ..data.rows import Draw, Rows

    denoiser, schedule, entries = context.denoiser, context.denoiser.schedule, []
    for number in range(context.plan.teacher_cache):
        draw = Draw(context.plan.seed, _ENTRY + number)
        entries.append(term.mixture(context.data.rows(draw).take([0]), draw, 1)[0].rows)
    texts, answered = context.texts, []
    with torch.no_grad(), context.method.off():
        # All captions first: text encoders may wait in main memory, and come back once.
        texts.read([caption for rows in entries for caption in rows.captions])
        for rows in entries:
            x_t = schedule.noise(rows.x0, rows.eps, rows.t).to(denoiser.dtype)
            target = denoiser.forward(x_t, rows.t, texts.rows(rows.captions)).float().cpu()
            answered.append(Examples(Rows(rows.x0.cpu(), rows.eps.cpu(), rows.t.cpu(), rows.captions), target))
    return answered


def make(context: TermContext) -> Regularizer:
    """Return the term; the base draws the bank's latents now, unless it did so before."""
    import torch

    plan = context.plan
    if plan.bank_share > 0 and not context.bank.prompts:
        said = "Drift correction needs a bank of prompts: give one, or take no share of its rows from it."
        raise UsageError(said, Setting("bank"), Setting("bank_share", "0"))
    latents = torch.empty(0)
    if plan.bank_share > 0:
        prompts = context.bank.prompts[: plan.bank_prompts or None]
        latents = context.drawings.latents("Base: drawing the bank", prompts)
    term = DriftCorrection(context, latents)
    return CachedDriftCorrection(_fixed_set(term, context), plan.term_rows) if plan.teacher_cache else term


def _teacher_rows(plan: "TrainPlan") -> int:
    return 0 if plan.teacher_cache else plan.term_rows


def _drawings(plan: "TrainPlan", bank: "Bank") -> int:
    if plan.bank_share == 0:
        return 0
    return min(len(bank.prompts), plan.bank_prompts or len(bank.prompts))


TERM = Term(
    name="dc",
    order=5,
    help="drift correction",
    weight=8.0,
    make=make,
    teacher_rows=_teacher_rows,
    drawings=_drawings,
    needs_class=True,
)
