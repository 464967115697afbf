"""One run of bench/preservation.py: train a LoRA, let the judge look at it, audit it."""

import hashlib
import json
import multiprocessing
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import torch
from demo_base.judging.judge import Judge, judge_state, train_judge
from demo_base.judging.pictures import draw, load_demo_base, write_grid
from demo_base.world.concept import HELD_OUT, VIEWS, Subject, View
from demo_base.world.drawing import FASHION, read_split
from owf.core import families
from owf.core.adapter import applied, read_adapter
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.change import AdapterChange
from owf.core.datasets.images.shipped import read_shipped
from owf.core.demo import DEMO_BASE
from owf.core.experiments.jobs.learning_methods import CUSTOM_RATE
from owf.core.experiments.lab.likeness import word_in_place
from owf.core.metrics.images.features import load_features
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.audit_plan import AuditPlan, Stage
from owf.core.plan.concept import Concept
from owf.core.plan.presets import preset_plan
from owf.core.progress import SILENT
from owf.core.train.data.bank import make_bank, read_bank, shipped_bank
from owf.core.train.plan import TrainPlan
from owf.core.train.records import Picture, StepRecord, Trained, TrainSetting
from owf.core.train.train import train
from owf.core.verdict.policy import default_policy

from preserving.concepts import CONCEPTS, TUNING, photographs_of

VERSION = 3
"""Part of every run's key: change it when runs are to be made anew."""
RECIPE = dict(families.get("demo").recipes)["standard"]
"""What every training takes of the recipe for this base: its batch, rate and the rate's course."""
RANK = 8
JUDGED = 32
"""Pictures of the trigger that the judge looks at."""
OTHERS = ("a photo of a red dress", "a photo of a green sneaker", "a photo of a blue and white striped coat")
"""What else is drawn of every LoRA, to look at."""


@dataclass(frozen=True)
class Method:
    """What is compared."""

    terms: tuple[str, ...] = ()
    """Its preservation terms. The paper's DB-DC has prior preservation, its DB-DC\\pr has not."""
    weights: tuple[float, ...] = ()
    """Weights of the first term that are tried; none where the training finds it."""
    custom: bool = False
    """Whether Custom Diffusion is trained, not DreamBooth-LoRA."""


METHODS = {
    "none": Method(),
    "prior": Method(("prior",), (0.5, 2.0, 8.0)),
    "class": Method(("class",), (0.3, 1.0, 4.0)),
    "l2": Method(("l2",), (0.0003, 0.002, 0.01)),
    "dc, fixed": Method(("dc",), (1.0, 3.0, 8.0, 25.0)),
    "dc": Method(("dc",)),
    "dc+prior": Method(("dc", "prior")),
    "cd": Method(custom=True),
    "cd+dc": Method(("dc",), custom=True),
}


@dataclass(frozen=True)
class Job:
    """One LoRA to train, to judge and to audit."""

    method: str
    """One of METHODS."""
    concept: str
    """Its class word."""
    seed: int
    steps: int
    weight: float = 1.0
    """Of the method's first term, where it is fixed."""
    options: tuple[tuple[str, float], ...] = ()
    """Further options of the plan."""

    @property
    def key(self) -> str:
        """The name of everything that the run leaves: it says all that the result depends on."""
        bank = shipped_bank("demo").read_text() if "dc" in METHODS[self.method].terms else ""
        told = f"{VERSION}{RECIPE}{json.dumps(asdict(self), sort_keys=True)}{bank}{_base_digest()}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def subject(self) -> Subject:
        """The concept itself."""
        return next(concept for concept in (TUNING, *CONCEPTS) if concept.word == self.concept)

    def plan(self) -> TrainPlan:
        """Return what is asked of the training."""
        method = METHODS[self.method]
        weights = {f"{method.terms[0]}_weight": self.weight} if method.weights else {}
        options = {
            "class_word": self.concept,
            "steps": self.steps,
            "batch": RECIPE.batch,
            "rank": RANK,
            "rate": RECIPE.rate * (CUSTOM_RATE if method.custom else 1.0),
            "rate_schedule": RECIPE.rate_schedule,
            "seed": self.seed,
            "method": "custom_diffusion" if method.custom else "dreambooth_lora",
            "preserve": method.terms,
            "dc_control": "fixed" if method.weights or not method.terms else "auto",
            "bucket": 0,
            "drift_every": 25 if not method.weights and "dc" in method.terms else 0,
        }
        return TrainPlan(**(options | weights | dict(self.options)))


@cache
def _base_digest() -> str:
    weights = sorted(DEMO_BASE.rglob("*.safetensors"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in weights)).hexdigest()


def run_file(work: Path, job: Job) -> Path:
    """Return where what was found of a job is kept."""
    return work / "runs" / f"{job.key}.json"


class Worker:
    """One process with the base and everything that does not change between jobs."""

    def __init__(self, work: Path, device: str) -> None:
        torch.set_num_threads(1)
        self.work = work
        self.denoiser = load_demo_base(DEMO_BASE, device)
        self.features = load_features("demo")
        self.plan = audit_plan()
        self.labelled = read_shipped("demo", self.denoiser.resolution, self.plan.per_class)

    def run(self, job: Job) -> dict:
        """Return what was found of a job, from an earlier run where there was one."""
        path = run_file(self.work, job)
        if path.exists():
            return json.loads(path.read_text())
        result = {"key": job.key, **asdict(job), **self.train(job), **self.judge(job), **self.audit(job)}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{multiprocessing.current_process().pid}")
        partial.write_text(json.dumps(result, indent=1))
        partial.replace(path)
        return result

    def lora(self, job: Job) -> Path:
        """Return where a job's LoRA is."""
        return self.work / "loras" / f"{job.key}.safetensors"

    def train(self, job: Job) -> dict:
        """Train the LoRA; return what the training itself tells, with what it says was learned."""
        plan, named = job.plan(), Concept("sks", job.concept)
        taught, held_out = _pictures(job, VIEWS), _pictures(job, HELD_OUT)
        bank = make_bank(read_bank(shipped_bank("demo")), named)
        times, weights = [], []

        def tell(record: StepRecord) -> None:
            times.append(time.process_time())
            weights.append(record.weights.get("dc"))

        setting = TrainSetting(
            job.key,
            self.lora(job).parent,
            self.work / "cache",
            SILENT,
            Batching(32),
            save_every=1e9,
            networks=lambda: (self.features,),
            watch=tell,
        )
        setting.folder.mkdir(parents=True, exist_ok=True)
        trained = train(self.denoiser, taught, bank, plan, setting, held_out)
        seconds = (times[-1] - times[0]) / (len(times) - 1)
        return {
            "seconds_per_step": seconds,
            "watched_drift": trained.drift,
            "last_dc_weight": weights[-1],
            **_told(trained),
        }

    def judge(self, job: Job) -> dict:
        """Return the share of the trigger's pictures in which the judge sees the concept, and leave some to look at."""
        judge, named = self.judge_of(job.concept), Concept("sks", job.concept).caption("a photo of {}")
        plain = f"a photo of a {job.concept}"
        with applied(self.denoiser.components, read_adapter(self.lora(job))), self.word(job):
            learnt = draw(self.denoiser, [named] * JUDGED, seed=500)
            unnamed = draw(self.denoiser, [plain] * JUDGED, seed=700)
            others = draw(self.denoiser, list(OTHERS), seed=900)
        wanted = job.subject.look
        folder = self.work / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        write_grid(torch.cat([learnt[:4], unnamed[:3], others]), 10, folder / f"{job.key}.png")
        shown, leaked = ([look == wanted for look in judge.looks(part)] for part in (learnt, unnamed))
        return {"learned": sum(shown) / JUDGED, "leaked": sum(leaked) / JUDGED}

    def judge_of(self, word: str) -> Judge:
        """Return the judge of a class, trained where no earlier run has."""
        path = self.work / "judges" / f"{word}.pt"
        if path.exists():
            return judge_state(torch.load(path, weights_only=True))
        images, labels = read_split(FASHION, "train")
        judge = train_judge(word, images, labels, torch.arange(len(labels)).numpy())
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(judge.network.state_dict(), path)
        return judge

    def audit(self, job: Job) -> dict:
        """Return what an audit of the LoRA finds."""
        setting = AuditSetting(
            self.work / "audits" / job.key,
            self.work / "cache",
            default_policy(),
            SILENT,
            Batching(32),
            {},
            self.labelled,
        )
        change = AdapterChange(self.denoiser.components, read_adapter(self.lora(job)), 1.0)
        report = audit_change(self.denoiser, change, self.plan, setting)
        semantic, measured = report.measurements["semantic"].estimates, report.measurements
        return {
            "accuracy_base": semantic["accuracy_base"].value,
            "accuracy": semantic["accuracy_tuned"].value,
            "drop": semantic["accuracy_drop"].value,
            "worst_drop": semantic["worst_class_drop"].value,
            "worst_floor": semantic["worst_class_drop"].floor,
            "drift": measured["denoiser_drift"].estimates["drift"].value,
            "cdi": measured["color"].estimates["cdi"].value,
        }

    def word(self, job: Job) -> AbstractContextManager[None]:
        """Return a context with Custom Diffusion's embedding of the trigger in the place of the base's."""
        return word_in_place(self.denoiser, self.lora(job), Concept("sks", job.concept))


def _pictures(job: Job, views: tuple[View, ...]) -> list[Picture]:
    caption = Concept("sks", job.concept).caption(job.plan().caption)
    return [Picture(pixels, caption) for pixels in photographs_of(job.subject, views)]


def _told(trained: Trained) -> dict:
    """Return what the product itself says was learned."""
    learning = trained.learning
    assert learning is not None
    numbers = {name: learning.estimates[name].value for name in ("fidelity", "retrieval") if name in learning.estimates}
    return {"decision": learning.decision, **numbers}


def audit_plan() -> AuditPlan:
    """Return the audit of every LoRA: 100 held-out pictures, every prompt of the demo's quick preset."""
    plan = preset_plan("quick", "demo")
    measured = ("denoiser_drift", "semantic", "color")
    return replace(plan, metrics=measured, per_class=10, stages=(Stage(3, 3), Stage(6, 1)), images_per_prompt=1)
