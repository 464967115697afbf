"""What an experiment would train and measure, and what that costs, before anything is loaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ... import families
from ...audit.evidence.cost import Cost, audit_cost
from ...audit.learned.evidence import drawn_rows
from ...audit.request import plan_for
from ...datasets.accounts import MODELS, account, evaluations
from ...model.blueprint import Blueprint
from ...model.diffusion.drawings import sampling_of
from ...plan.audit_plan import AuditPlan
from ...plan.concept import Concept
from ...plan.presets import PAPER
from ...text import counted
from ...train.cost import BACKWARD
from ...train.data.bank import Bank, make_bank, read_bank, shipped_bank
from ...train.forecast.rows import training_rows
from ...train.plan import TrainPlan
from ...train.session import usual_targets
from ..jobs.job import REFERENCE, Job, Lesson, distinct
from ..jobs.study import Study
from .examiner import audit_request


@dataclass(frozen=True)
class Foreseen:
    """Rows of the denoiser, each distinct training and question counted once."""

    trainings: int
    """LoRAs and embeddings that are trained."""
    gradients: int
    """Rows with gradients."""
    drawn: int
    """Rows of trainings without gradients: teachers, drawings, and what was learned."""
    audits: int
    """Audits of LoRAs."""
    tuned: int
    """Rows of tuned models in them."""
    base: int
    """Rows of the base, once."""

    @property
    def rows(self) -> int:
        """All rows in terms of rows without gradients."""
        return BACKWARD * self.gradients + self.drawn + self.tuned + self.base


def foresee(study: Study, jobs: Sequence[Job], base: Blueprint, names: Sequence[str]) -> Foreseen:
    """Return what jobs cost on a base that is only looked at; what earlier runs have done is not taken off."""
    lessons = list(distinct(jobs))
    trained = [lesson for lesson in lessons if lesson.how != REFERENCE]
    bank, usual = _banks(base, names), base.family.drawing((base.name, *names))
    rows = [training_rows(lesson.plan, bank(lesson), base.family.name, usual) for lesson in trained]
    drawn = sum(each.without_gradients for each in rows)
    looked = [lesson for lesson in lessons if lesson.how == REFERENCE]
    drawn += sum(drawn_rows(_concept(lesson.plan), base.family.name, bank(lesson).form, usual) for lesson in looked)
    asked = {metrics: _asked(study, metrics, base, names) for metrics in dict.fromkeys(job.metrics for job in jobs)}
    return Foreseen(
        trainings=len(trained),
        gradients=sum(each.student for each in rows),
        drawn=drawn,
        audits=len(jobs),
        tuned=sum(_tuned(job, *asked[job.metrics], usual) for job in jobs),
        base=sum(cost.base for _, cost in asked.values()),
    )


def trained_plans(study: Study, jobs: Sequence[Job], base: Blueprint) -> list[TrainPlan]:
    """Return the plans of all that is trained, as they are on a base; of jobs that train nothing, the study's own."""
    plans = [lesson.plan for lesson in distinct(jobs) if lesson.how != REFERENCE]
    return [replace(plan, targets=usual_targets(base.family, plan)) for plan in plans or [study.plan]]


def _tuned(job: Job, plan: AuditPlan, cost: Cost, usual: families.Drawing) -> int:
    """Return the rows of a job's tuned model; where it looks at a reference, that goes through the network as well."""
    rows = cost.tuned + job.probes * plan.drift_timesteps + job.draws * sampling_of(usual).rows
    return 2 * rows if job.lessons[-1].how == REFERENCE else rows


def _banks(base: Blueprint, names: Sequence[str]) -> Callable[[Lesson], Bank]:
    """Return a function that knows the bank of each lesson; of those of one concept it is made once."""
    known: dict[tuple[str, str, int], Bank] = {}

    def bank(lesson: Lesson) -> Bank:
        plan = lesson.plan
        key = (plan.trigger, plan.class_word, plan.bank_prompts)
        if key not in known:
            form = base.family.prompt_form(plan.prompt_form, (base.name, *names))
            prompts = read_bank(shipped_bank(base.family.name, form.name))
            known[key] = make_bank(prompts, _concept(plan), plan.bank_prompts).put(form)
        return known[key]

    return bank


def _concept(plan: TrainPlan) -> Concept:
    return Concept(plan.trigger, plan.class_word)


def _asked(study: Study, metrics: tuple[str, ...], base: Blueprint, names: Sequence[str]) -> tuple[AuditPlan, Cost]:
    """Return the plan of an audit and what it costs."""
    plan, labelled = plan_for(
        audit_request(study, metrics, base.made_for), base.family.name, base.made_for, names=(base.name, *names)
    )
    count = len(plan.classes) * plan.per_class if labelled is None else len(labelled.labels)
    return plan, audit_cost(plan, count)


def described(found: Foreseen, study: Study) -> list[str]:
    """Return what is foreseen, a line each."""
    lines = [
        f"Trains {counted(found.trainings, 'LoRA')} of {counted(len(study.concepts), 'concept')}: "
        f"{found.gradients:,} rows with gradients, {found.drawn:,} without.",
        f"Audits {counted(found.audits, 'change')}: {found.tuned:,} rows of tuned models, {found.base:,} of the base, "
        "once.",
    ]
    if study.asked.preset == PAPER:
        asked, _ = evaluations()
        lines += filter(None, [account(study.asked.dataset)])
        lines.append(
            f"As published, the table takes {MODELS} models on all sets, each by itself: {MODELS * asked / 1e9:.2f} "
            "thousand million UNet evaluations. Here the base's are made once, and every LoRA's are paired with them."
        )
    return lines
