"""LoRAs are trained once each, alone or on top of earlier ones, and the base is as it was afterwards."""

import contextlib
import dataclasses

import pytest
import torch
from owf.core.adapter import read_adapter, stacked
from owf.core.audit.change import BESIDE, AdapterChange
from owf.core.experiments.jobs.job import CONTINUED, STACKED, Job, Lesson
from owf.core.experiments.jobs.runner import run_jobs
from owf.core.experiments.jobs.study import Asked, ConceptPictures, Study
from owf.core.experiments.lab import workshop as workshop_module
from owf.core.experiments.lab.bench import Bench
from owf.core.experiments.lab.examiner import changes_by_kind
from owf.core.experiments.lab.stack import StackChange
from owf.core.experiments.lab.workshop import LORAS, Workshop
from owf.core.metrics.images.features import Fetching
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling
from owf.core.model.memory import Keeping
from owf.core.plan import demo
from owf.core.progress import SILENT
from owf.core.verdict.report import BlockChange
from PIL import Image
from report_samples import report
from small_training import tiny_denoiser
from tiny_sd import write_tiny_lora
from torch_that_trains import torch_that_trains

__all__ = ["torch_that_trains"]

PLAN = {"steps": 2, "batch": 1, "rank": 2, "bucket": 0, "drift_every": 0, "preserve": (), "rate": 1e-2}


def parameters(denoiser):
    return {
        f"{c}.{n}": (p, p.detach().clone()) for c, m in denoiser.components.items() for n, p in m.named_parameters()
    }


def plan(word, **options):
    from owf.core.train.plan import TrainPlan

    return TrainPlan(class_word=word, **{**PLAN, **options})


@pytest.fixture
def study(tmp_path):
    concepts = []
    for place, word in enumerate(("bag", "coat")):
        folder = tmp_path / "concepts" / word
        folder.mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (64, 64), (90 * place, 60 * i, 120)).save(folder / f"{i}.png")
        concepts.append(ConceptPictures(word, word, folder, None))
    return Study("demo", tuple(concepts), 1, plan("bag"), Asked(), tmp_path / "out")


def unwatched():
    return contextlib.nullcontext(SILENT)


def make(study, denoiser):
    cache = study.folder.parent / "cache"
    cache.mkdir(exist_ok=True)
    bench = Bench(denoiser, (), Batching(32), cache, Fetching(torch.device("cpu"), True), unwatched)
    return Workshop(bench, study)


def job(*words, way=CONTINUED, **more):
    return Job("row", 0, tuple(Lesson(word, plan(word)) for word in words), ("denoiser_drift",), way=way, **more)


@pytest.mark.slow
def test_lessons_are_taught_once_and_on_top_of_each_other(study, monkeypatch):
    monkeypatch.setattr(drawings, "SAMPLING", Sampling(2, 1.0))  # what was learned is another test's
    monkeypatch.setattr(demo, "PROMPTS", demo.PROMPTS[::9])
    denoiser = tiny_denoiser()
    before = parameters(denoiser)
    jobs = [job("bag"), job("bag", "coat"), job("bag", "coat", way=STACKED, probes=2)]
    results = run_jobs(jobs, make(study, denoiser), study.folder, lambda *told: None)
    after = parameters(denoiser)
    assert all(after[name][0] is before[name][0] and torch.equal(after[name][1], before[name][1]) for name in before)
    # bag once for all three; coat on top of it, and coat alone.
    assert len(list((study.folder / LORAS).glob("*.safetensors"))) == 3
    drifts = [result.numbers["drift"].value for result in results]
    assert drifts[0] != drifts[1] != drifts[2] and min(drifts) > 0
    assert "probe_drift" in results[2].numbers and "probe_drift" not in results[0].numbers
    assert all(result.facts["delta_norm"] > 0 and result.decision for result in results)
    assert all((study.folder / result.report / "report.json").is_file() for result in results)
    monkeypatch.setattr(workshop_module, "train", lambda *_: pytest.fail("it was trained again"))
    assert run_jobs(jobs, make(study, tiny_denoiser()), study.folder, lambda *told: None) == results


@pytest.mark.slow
def test_names_say_what_a_result_depends_on(study):
    shop = make(study, tiny_denoiser())
    one = job("bag")
    others = [
        job("coat"),
        job("bag", "coat"),
        job("bag", way=STACKED, probes=1),
        dataclasses.replace(one, metrics=("denoiser_drift", "color")),
        dataclasses.replace(one, lessons=(Lesson("bag", plan("bag", rank=4)),)),
        dataclasses.replace(one, lessons=(Lesson("bag", plan("bag"), 2),)),
    ]
    keys = [shop.key(other) for other in (one, *others)]
    assert len(set(keys)) == len(keys) and shop.key(one) == keys[0]
    asked = dataclasses.replace(study, asked=Asked(preset="standard"))
    assert make(asked, tiny_denoiser()).key(one) != keys[0]


def test_a_stack_is_the_sum_of_its_files(tmp_path):
    denoiser = tiny_denoiser()
    files = [write_tiny_lora(tmp_path / f"{i}.safetensors", scale=0.1 * (i + 1)) for i in range(2)]
    adapters = [read_adapter(file) for file in files]
    before, change = parameters(denoiser), StackChange(denoiser.components, adapters)
    assert change.refusal() is None
    record = change.record()
    assert record.name == "0.safetensors + 1.safetensors" and record.matched > 0
    assert change.key == tuple(a.key for a in adapters) != AdapterChange(denoiser.components, adapters[0], 1.0).key
    change.on()
    tuned = {name: value for name, (_, value) in parameters(denoiser).items()}
    change.off()
    with stacked(denoiser.components, adapters, (1.0, 1.0)):
        wanted = {name: value for name, (_, value) in parameters(denoiser).items()}
    assert all(torch.equal(tuned[name], wanted[name]) for name in wanted)
    assert any(not torch.equal(tuned[name], before[name][1]) for name in tuned)
    assert all(p is before[name][0] for name, (p, _) in parameters(denoiser).items())


def test_a_stack_beside_the_weights_answers_as_a_merged_one(tmp_path):
    denoiser = tiny_denoiser()
    adapters = [read_adapter(write_tiny_lora(tmp_path / f"{i}.safetensors", scale=0.1 * (i + 1))) for i in range(2)]
    before, x = parameters(denoiser), torch.ones(1, *denoiser.latent_shape)

    def answer():
        return denoiser.predict(x, torch.tensor([500]), denoiser.encode_text(["a bag"]))

    plain, merged = answer(), StackChange(denoiser.components, adapters)
    beside = StackChange(denoiser.components, adapters, Keeping("model"))
    assert (
        beside.refusal() is None
        and beside.key == (*merged.key, BESIDE)
        and beside.record().details["applied"] == BESIDE
    )
    answers = []
    for change in (merged, beside):
        change.on()
        answers.append(answer())
        change.off()
        assert torch.equal(answer(), plain)
    assert torch.allclose(*answers, atol=1e-5) and not torch.allclose(answers[0], plain, atol=1e-3)
    assert all(p is before[name][0] for name, (p, _) in parameters(denoiser).items())


def test_a_stack_with_a_file_that_does_not_fit_is_refused(tmp_path):
    denoiser = tiny_denoiser()
    good = write_tiny_lora(tmp_path / "good.safetensors")
    bad = write_tiny_lora(
        tmp_path / "bad.safetensors", modules={"lora_unet_down_blocks_0_attentions_0_proj_in": (8, 8)}
    )
    reason = StackChange(denoiser.components, [read_adapter(good), read_adapter(bad)]).refusal()
    assert reason is not None and "bad.safetensors" in reason


def test_changes_by_kind_are_root_mean_squares_over_modules():
    blocks = (
        BlockChange("unet", "down 0", "cross-attention", 3, 0.1),
        BlockChange("unet", "down 1", "cross-attention", 1, 0.3),
        BlockChange("unet", "mid", "feed-forward", 2, None),
    )
    made = report()
    made = dataclasses.replace(made, adapter=dataclasses.replace(made.adapter, blocks=blocks))
    found = changes_by_kind(made)
    assert found == {"change of cross-attention": pytest.approx(((3 * 0.01 + 0.09) / 4) ** 0.5)}
