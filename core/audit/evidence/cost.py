"""What an audit costs in UNet rows: the sum over the kinds of evidence that its metrics need."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ...metrics.evidence import Answers, ColorDrawings, Confirmed, Drawings, LongDrawings, Predictions, Screened
from ...metrics.metric import chosen, needed
from ...model.diffusion.reading import READING_PICTURES, READING_ROWS
from ...plan.audit_plan import STEP_FACTOR, AuditPlan, elimination_rows
from ...plan.screening.confirmation import GROUPS, LOOK_ROWS, PICTURES
from ...plan.screening.screening import CANDIDATES, PILOTS, plan_concepts

FLOOR_PROMPTS = 8
"""Prompts whose predictions the base repeats row by row, to see what arithmetic alone changes."""
_SIDES = 3
"""Sides whose drawings a metric looks at: base, tuned, and the base with other noise."""


@dataclass(frozen=True)
class Cost:
    """UNet rows of each part of an audit, for one of base and tuned."""

    predictions: int
    """Predictions on noised latents."""
    answers: int
    """Diffusion classifier."""
    images: int
    """Drawings."""
    screened: int
    """Predictions under the prompts of a vocabulary."""
    pilot: int
    """Predictions of the base that show at which timesteps to ask it."""
    confirmed: int
    """Drawing what a screening suspects, by both models, and looking at it; at most."""
    probes: int
    """Labelled images made by the base; 0 where they come from a folder."""
    latents: int
    """Images made by the base only to be noised, for predictions or `reading`; 0 where it draws them anyway."""
    repeats: int
    """Predictions that the base repeats for their noise floor."""
    reading: int
    """Predictions that show whether the base is read as it was trained."""
    compared: int
    """Images that metrics look at once all are drawn. Each counts as a row, though it takes less."""

    @property
    def tuned(self) -> int:
        """Rows that every LoRA pays: those of the tuned model, and of the base where it is asked about this one."""
        return self.predictions + self.answers + self.images + self.screened + self.confirmed

    @property
    def base(self) -> int:
        """Rows of the base: paid once, then cached. Classifier and images count twice: once for the comparison,
        once with other seeds for the noise floor."""
        twice = 2 * (self.answers + self.images)
        predicted = self.predictions + 2 * self.screened  # under each concept's prompt, and under another
        return predicted + twice + self.pilot + self.probes + self.latents + self.repeats + self.reading


def audit_cost(plan: AuditPlan, labelled: int) -> Cost:
    """Return the cost of a plan over `labelled` labelled images; raise UsageError for unknown metrics."""
    kinds, prompts, per_image = needed(plan.metrics), len(plan.prompts), image_rows(plan)
    predicted = prompts if Predictions in kinds else 0
    repeated = min(FLOOR_PROMPTS, predicted)
    asked = labelled if Answers in kinds else 0
    drawn = plan.images if Drawings in kinds else 0
    colored = len(plan.color_draws) if ColorDrawings in kinds else 0
    long = len(plan.step_places) if LongDrawings in kinds else 0
    checked = min(READING_PICTURES, prompts)
    concepts = len(plan_concepts(plan)) if Screened in kinds else 0
    only_noised = 0  # drawings end in latents of their own
    if Drawings not in kinds:
        only_noised = prompts if Predictions in kinds else checked
    needs = [kind for metric in chosen(plan.metrics) for kind in metric.needs]
    looked_at = needs.count(Drawings) * drawn + needs.count(ColorDrawings) * colored + needs.count(LongDrawings) * long
    return Cost(
        predictions=predicted * plan.drift_timesteps,
        answers=asked * answer_rows(plan),
        images=(drawn + colored + STEP_FACTOR * long) * per_image,
        screened=concepts * plan.concept_rows,
        pilot=0 if plan.own_times else 2 * min(PILOTS, concepts) * CANDIDATES,
        confirmed=confirmation_rows(plan) if Confirmed in kinds else 0,
        probes=asked * per_image if plan.dataset == "generated" else 0,
        latents=only_noised * per_image,
        repeats=repeated * plan.drift_timesteps,
        reading=checked * READING_ROWS,
        compared=_SIDES * looked_at,
    )


def answer_rows(plan: AuditPlan) -> int:
    """Return the UNet rows that classifying one image costs."""
    return elimination_rows(len(plan.classes), plan.stages)


def image_rows(plan: AuditPlan) -> int:
    """Return the UNet rows that drawing one image costs: guidance needs a second, empty prompt."""
    return plan.sampling_steps * (1 if plan.guidance_scale == 1 else 2)


def confirmation_rows(plan: AuditPlan) -> int:
    """Return the UNet rows that a confirmation costs at most."""
    return GROUPS * PICTURES * 2 * (image_rows(plan) + LOOK_ROWS)


def sample_rows(plan: AuditPlan) -> dict[str, int]:
    """Return the UNet rows that one stored sample costs, for each stage of `gather`."""
    image, answer = image_rows(plan), answer_rows(plan)
    return {
        "draw": image,
        "draw-other": image,
        "color": image,
        "color-other": image,
        "steps": STEP_FACTOR * image,
        "steps-other": STEP_FACTOR * image,
        "probe": image,
        "predict": plan.drift_timesteps,
        "predict-again": plan.drift_timesteps,
        "screen": plan.concept_rows,
        "screen-instead": plan.concept_rows,
        "pilot": CANDIDATES,
        "pilot-instead": CANDIDATES,
        "texts": 0,
        "confirm-base": image,
        "confirm-tuned": image,
        "look-base": LOOK_ROWS,
        "look-tuned": LOOK_ROWS,
        "reading": READING_ROWS,
        "classify": answer,
        "classify-other": answer,
    }


@dataclass(frozen=True)
class Remaining:
    """UNet rows that are still to be computed."""

    tuned: int
    """Of the tuned model."""
    base: int
    """Of the base."""


def remaining(
    plan: AuditPlan, cost: Cost, of_base: Iterable[tuple[str, str]], of_tuned: Iterable[tuple[str, str]]
) -> Remaining:
    """Return what is left of a plan's cost where the (stage, item) of base and tuned model are measured already.

    Those of the tuned model are of this plan alone; what a base was asked may be more, for other metrics.
    """
    rows, asked = sample_rows(plan), _asked_of_base(plan, cost)
    measured = Counter(stage for stage, _ in of_base)
    done_base = sum(min(count, asked.get(stage, 0)) * rows[stage] for stage, count in measured.items())
    done_tuned = sum(rows[stage] for stage, _ in of_tuned)
    return Remaining(cost.tuned - done_tuned, cost.base - done_base)


def _asked_of_base(plan: AuditPlan, cost: Cost) -> dict[str, int]:
    """Return the samples that a plan asks of its base, for each stage of which it asks any."""
    rows, kinds = sample_rows(plan), needed(plan.metrics)
    asked = {"draw": cost.latents, "reading": cost.reading}
    if Predictions in kinds:
        asked |= {"predict": cost.predictions, "predict-again": cost.repeats}
    if Screened in kinds:
        asked |= {"screen": cost.screened, "screen-instead": cost.screened}
        asked |= {"pilot": cost.pilot // 2, "pilot-instead": cost.pilot // 2}
    if Answers in kinds:
        asked |= {"probe": cost.probes, "classify": cost.answers, "classify-other": cost.answers}
    if Drawings in kinds:
        asked |= dict.fromkeys(("draw", "draw-other"), plan.images * rows["draw"])
    if ColorDrawings in kinds:
        asked |= dict.fromkeys(("color", "color-other"), len(plan.color_draws) * rows["color"])
    if LongDrawings in kinds:
        asked |= dict.fromkeys(("steps", "steps-other"), len(plan.step_places) * rows["steps"])
    return {stage: count // rows[stage] for stage, count in asked.items()}
