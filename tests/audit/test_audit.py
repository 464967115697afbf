"""The audit as a whole on a tiny random base: zero at strength 0, resumable, reproducible, restored."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest
import torch
from audits import audit
from owf.core import families
from owf.core.adapter import read_adapter
from owf.core.audit.audit import AuditSetting, to_do
from owf.core.audit.change import AdapterChange
from owf.core.audit.evidence.cost import audit_cost, image_rows, sample_rows
from owf.core.datasets.images.labelled import LabelledImages
from owf.core.disk.store import SampleStore, measured_in
from owf.core.errors import Setting
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.audit_plan import Prompt, Stage
from owf.core.plan.presets import METRICS, preset_plan
from owf.core.progress import SILENT, Progress
from owf.core.verdict.policy import Limit, Policy, default_policy
from owf.core.verdict.rejudge import left_out
from owf.core.verdict.report import read_report, to_json, write_report
from safetensors.torch import load_file, save_file
from tiny_sd import tiny_parts, write_tiny_lora

CLASSES = ("bag", "coat")
WITHOUT_MAP = tuple(name for name in METRICS if name != "map")
"""The map asks thousands of rows; tests/audit/test_map.py asks few."""
NOTHING = (("denoiser_drift", "drift"), ("semantic", "accuracy_drop"), ("color", "cdi"))
"""Numbers that are exactly 0 where nothing was changed."""
MID = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


class MeanColors:
    """A feature network that needs no weights: mean colour of each quarter."""

    name, digest = "mean-colors", "0"

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        quarters = images.float().unfold(2, 32, 32).unfold(3, 32, 32)
        return quarters.mean(dim=(-1, -2)).flatten(1).numpy() / 255


@pytest.fixture(scope="module")
def denoiser():
    return DiffusersDenoiser(tiny_parts(), "tiny", "demo")


@pytest.fixture
def plan():
    return dataclasses.replace(
        preset_plan("quick"),
        metrics=WITHOUT_MAP,
        classes=CLASSES,
        stages=(Stage(2, 1),),
        prompts=tuple(Prompt(f"a {c} bag", "colours", c) for c in ("red", "green", "blue")),
        sampling_steps=2,
        drift_timesteps=3,
        features="mean-colors",
    )


def labelled(denoiser, count: int = 12) -> LabelledImages:
    """Return noise pictures that the random base happens to answer right: a base must beat chance."""
    from owf.core.metrics.semantic import predicted_class
    from owf.core.model.diffusion.classifier import image_errors

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 3, 64, 64), np.uint8)
    guess = LabelledImages(images, np.zeros(count, int), CLASSES)
    cond = denoiser.encode_text([f"a photo of a {c}" for c in CLASSES])
    labels = []
    for label in range(2):
        items = LabelledImages(images, np.full(count, label), CLASSES).items
        latents = denoiser.encode_image(torch.from_numpy(images))
        errors = image_errors(denoiser, latents, items, cond, (Stage(2, 1),), "l2", 0, Batching(8))
        labels.append([predicted_class(e) == label for e in errors])
    chosen = np.array([0 if zero else 1 for zero in labels[0]])
    keep = np.array([labels[c][i] for i, c in enumerate(chosen)])
    assert keep.sum() >= 6
    return LabelledImages(guess.images[keep], chosen[keep], CLASSES)


@pytest.fixture(scope="module")
def images(denoiser):
    return labelled(denoiser)


def setting(folder, images, progress=None) -> AuditSetting:
    return AuditSetting(
        folder, folder / "cache", default_policy(), progress or SILENT, Batching(8), {"kid": MeanColors()}, images
    )


def lora(tmp_path, scale=0.3):
    return read_adapter(write_tiny_lora(tmp_path / "a.safetensors", scale))


def without_times(text: str) -> dict:
    return {k: v for k, v in json.loads(text).items() if k != "timing"}


def test_strength_zero_drifts_by_exactly_zero(denoiser, plan, images, tmp_path):
    report = audit(denoiser, lora(tmp_path), 0.0, plan, setting(tmp_path, images))
    seen = report.measurements
    assert seen["denoiser_drift"].estimates["drift"].value == 0
    assert seen["semantic"].estimates["accuracy_drop"].value == 0
    assert seen["semantic"].estimates["margin_shift"].value == 0
    assert seen["color"].estimates["cdi"].value == 0
    assert seen["kid"].estimates["kid"].value == 0
    assert all(pair.change == 0 for pair in report.pairs)


def test_report_survives_json_and_validates(denoiser, plan, images, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    from pathlib import Path

    report = audit(denoiser, lora(tmp_path), 1.0, plan, setting(tmp_path, images))
    assert report.measurements["denoiser_drift"].estimates["drift"].value > 0
    write_report(report, tmp_path / "report.json")
    assert to_json(read_report(tmp_path / "report.json")) == to_json(report)
    schema = json.loads((Path(__file__).parents[2] / "core" / "verdict" / "report.schema.json").read_text())
    jsonschema.validate(json.loads(to_json(report)), schema)


def test_the_report_says_where_the_change_sits_and_how_it_was_trained(denoiser, plan, images, tmp_path):
    stated = {"ss_sd_model_name": "some-base", "ss_steps": "1200", "ss_resolution": "(512, 768)"}
    tensors = load_file(write_tiny_lora(tmp_path / "a.safetensors", 0.3))
    save_file(tensors, tmp_path / "b.safetensors", metadata={**stated, "modelspec.prediction_type": "epsilon"})
    told = audit(denoiser, read_adapter(tmp_path / "b.safetensors"), 0.5, plan, setting(tmp_path, images)).adapter
    assert [(b.component, b.block, b.kind, b.modules) for b in told.blocks] == [
        ("text_encoder", "text 0", "self-attention", 1),
        ("unet", "down 0", "cross-attention", 1),
        ("unet", "mid", "self-attention", 1),
    ]
    change = tensors[MID + ".lora_up.weight"] @ tensors[MID + ".lora_down.weight"]  # alpha is the rank
    weight = denoiser.components["unet"].get_parameter("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
    assert told.blocks[2].relative == pytest.approx(float(change.norm() / weight.norm()), rel=1e-5)
    assert (
        told.details.items()
        >= {
            "trained on": "some-base",
            "training size": "512 x 768 px",
            "training steps": "1200",
            "prediction type": "epsilon",
        }.items()
    )


def test_same_inputs_same_report(denoiser, plan, images, tmp_path):
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        texts.append(to_json(audit(denoiser, lora(tmp_path), 1.0, plan, setting(tmp_path / name, images))))
    assert without_times(texts[0]) == without_times(texts[1])


class Interrupt(Progress):
    """Progress that presses Ctrl-C after some rows, and counts them."""

    def __init__(self, after: int = 10**9):
        self.rows, self.after = 0, after
        self.expected = self.skipped = 0

    def total(self, rows: int) -> None:
        self.expected = rows

    def skip(self, rows: int) -> None:
        self.skipped += rows

    def advance(self, rows: int) -> None:
        self.rows += rows
        if self.rows >= self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 60, 130, 170])
def test_an_interrupted_run_resumes_to_the_same_report(denoiser, plan, images, tmp_path, after):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    weight = denoiser.components["unet"].get_parameter("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
    expected = audit(denoiser, lora(tmp_path), 1.0, plan, setting(whole, images))
    with pytest.raises(KeyboardInterrupt):
        audit(denoiser, lora(tmp_path), 1.0, plan, setting(parts, images, Interrupt(after)))
    after_it = denoiser.components["unet"].get_parameter(
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    )
    assert after_it is weight
    found = audit(denoiser, lora(tmp_path), 1.0, plan, setting(parts, images))
    assert without_times(to_json(found)) == without_times(to_json(expected))


def test_base_results_are_cached_for_the_next_lora(denoiser, plan, images, tmp_path):
    first, second = Interrupt(), Interrupt()
    report = audit(denoiser, lora(tmp_path), 1.0, plan, setting(tmp_path, images, first))
    other = read_adapter(write_tiny_lora(tmp_path / "b.safetensors", 0.1))
    audit(denoiser, other, 1.0, plan, setting(tmp_path, images, second))
    compared = audit_cost(plan, len(images.labels)).compared
    assert second.rows == report.cost["tuned_rows"] + compared
    assert first.rows > second.rows


def base_samples(folder):
    """Return every sample of the one base in a folder's cache, as its bytes."""
    (path,) = (folder / "cache").glob("base-*.sqlite")
    with SampleStore(path) as store:
        return {(stage, item): packed for stage, item, packed in store.packed()}


@pytest.mark.parametrize("metrics", [("semantic",), ("denoiser_drift",), ("semantic", "denoiser_drift"), ("kid",)])
def test_what_a_base_was_asked_for_some_metrics_counts_for_all_and_the_reverse(
    denoiser, plan, images, tmp_path, metrics
):
    """To the last digit, whatever went through the network at once: strength 0 still changes nothing."""
    plan = dataclasses.replace(plan, dataset="folder", images_per_prompt=2)
    few = dataclasses.replace(plan, preset="glance", metrics=metrics, features="inception")
    adapter = lora(tmp_path)
    key = AdapterChange(denoiser.components, adapter, 1.0).key
    audit(denoiser, adapter, 1.0, plan, setting(tmp_path / "whole", images))
    asked, second = to_do(denoiser, key, few, setting(tmp_path / "whole", images))[0], Interrupt()
    assert asked.base == 0
    audit(denoiser, adapter, 1.0, few, setting(tmp_path / "parts", images))
    _, cost = to_do(denoiser, key, few, setting(tmp_path / "none", images))
    left, all_of_it = to_do(denoiser, key, plan, setting(tmp_path / "parts", images))
    assert left.base == all_of_it.base - cost.base
    report = audit(denoiser, adapter, 0.0, plan, setting(tmp_path / "parts", images, second))
    assert second.rows == second.expected == left.base + all_of_it.tuned + all_of_it.compared
    assert base_samples(tmp_path / "parts") == base_samples(tmp_path / "whole")
    assert [report.measurements[name].estimates[key].value for name, key in NOTHING] == [0, 0, 0]


@pytest.mark.parametrize(
    ("metrics", "after"),
    [(WITHOUT_MAP, 60), (WITHOUT_MAP, 150), (("denoiser_drift",), 25), (("semantic",), 10**9)],
)
def test_what_is_announced_is_what_is_computed(denoiser, plan, images, tmp_path, metrics, after):
    """At any moment, rows left + rows done = the plan's cost; the progress promises neither more nor less."""
    plan, adapter = dataclasses.replace(plan, metrics=metrics, dataset="folder"), lora(tmp_path)
    key, first = AdapterChange(denoiser.components, adapter, 1.0).key, Interrupt(after)
    left, cost = to_do(denoiser, key, plan, setting(tmp_path, images))
    assert (left.base, left.tuned) == (cost.base, cost.tuned)
    assert not list(tmp_path.rglob("*.sqlite"))
    with contextlib.suppress(KeyboardInterrupt):
        audit(denoiser, adapter, 1.0, plan, setting(tmp_path, images, first))
    left, cost = to_do(denoiser, key, plan, setting(tmp_path, images))
    again = Interrupt()
    audit(denoiser, adapter, 1.0, plan, setting(tmp_path, images, again))
    assert again.rows == again.expected == left.base + left.tuned + cost.compared
    assert again.skipped == 0
    left, _ = to_do(denoiser, key, plan, setting(tmp_path, images))
    assert (left.base, left.tuned) == (0, 0)
    other = read_adapter(write_tiny_lora(tmp_path / "b.safetensors", 0.1))
    left, _ = to_do(denoiser, AdapterChange(denoiser.components, other, 1.0).key, plan, setting(tmp_path, images))
    assert (left.base, left.tuned) == (0, cost.tuned)


def test_samples_that_another_run_adds_meanwhile_shorten_the_progress(denoiser, plan, images, tmp_path):
    class Meanwhile(Interrupt):
        def stage(self, title: str) -> None:
            if title == "Base: classifying":
                audit(denoiser, adapter, 1.0, plan, setting(tmp_path, images))

    plan = dataclasses.replace(plan, metrics=("semantic", "denoiser_drift"), dataset="folder")
    adapter, progress = lora(tmp_path), Meanwhile()
    audit(denoiser, adapter, 1.0, plan, setting(tmp_path, images, progress))
    assert progress.skipped > 0
    assert progress.rows == progress.expected - progress.skipped


def test_results_of_another_size_are_not_taken_for_this_one(denoiser, plan, images, tmp_path, monkeypatch):
    adapter = lora(tmp_path)
    audit(denoiser, adapter, 1.0, plan, setting(tmp_path, images))
    before = len(list(setting(tmp_path, images).cache.glob("base-*.sqlite")))
    channels, height, width = denoiser.latent_shape
    monkeypatch.setattr(denoiser, "latent_shape", (channels, 2 * height, width))
    narrow = dataclasses.replace(plan, metrics=("denoiser_drift",))
    audit(denoiser, adapter, 1.0, plan=narrow, setting=setting(tmp_path, images))
    monkeypatch.undo()
    audit(denoiser, adapter, 1.0, plan=narrow, setting=setting(tmp_path, images))
    assert len(list(setting(tmp_path, images).cache.glob("base-*.sqlite"))) == before + 1


def test_a_lora_for_another_base_is_invalid(denoiser, plan, images, tmp_path):
    modules = {"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q": (640, 640)}
    adapter = read_adapter(write_tiny_lora(tmp_path / "x.safetensors", modules=modules))
    report = audit(denoiser, adapter, 1.0, plan, setting(tmp_path, images))
    assert (report.verdict.decision, report.status, report.measurements) == ("INVALID", "invalid", {})


@pytest.mark.parametrize(("made_for", "base"), [(2048, "sd15"), (768, "sdxl")])
def test_a_lora_for_another_family_is_invalid_and_both_are_named(
    made_for, base, denoiser, plan, images, tmp_path, monkeypatch
):
    modules = {"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k": (640, made_for)}
    adapter = read_adapter(write_tiny_lora(tmp_path / "x.safetensors", modules=modules))
    monkeypatch.setattr(denoiser, "family", base)
    report = audit(denoiser, adapter, 1.0, plan, setting(tmp_path, images))
    titles = [families.get(name).title for name in (adapter.family, base)]
    said = f"the LoRA is for {titles[0]}, and this base is {titles[1]}."
    assert report.verdict.decision == "INVALID"
    assert report.verdict.reasons[0].endswith(said)
    assert any(warning.endswith(said) for warning in report.adapter.warnings)


def test_a_lora_without_effect_is_invalid(denoiser, plan, images, tmp_path):
    report = audit(denoiser, lora(tmp_path, scale=0.0), 1.0, plan, setting(tmp_path, images))
    assert report.verdict.decision == "INVALID"
    assert "zero" in report.verdict.reasons[0]


def test_a_base_at_chance_is_invalid_with_what_would_help(denoiser, plan, images, tmp_path):
    plan = dataclasses.replace(plan, metrics=("semantic",), dataset="folder")
    wrong = dataclasses.replace(images, labels=1 - images.labels)
    report = audit(denoiser, lora(tmp_path), 1.0, plan, setting(tmp_path, wrong))
    assert report.verdict.settings == (Setting("per_class"), Setting("images"), Setting("base"))
    (reason,) = report.verdict.worded(lambda setting: f"<{setting.name}>")
    assert reason.endswith(" (<per_class>, <images>, <base>).")
    write_report(report, tmp_path / "report.json")
    assert "<" not in (tmp_path / "report.json").read_text()
    assert read_report(tmp_path / "report.json").verdict == dataclasses.replace(report.verdict, settings=())


def test_without_labelled_images_the_base_makes_them(denoiser, plan, tmp_path):
    from owf.core.audit.evidence.gather import check_base, gather_base, gather_tuned
    from owf.core.audit.evidence.recorder import ModelPass
    from owf.core.disk.store import SampleStore
    from owf.core.metrics.evidence import Answers
    from owf.core.model.diffusion.encodings import Encodings

    plan = dataclasses.replace(plan, per_class=2, metrics=("semantic",))
    with SampleStore(tmp_path / "s.sqlite") as store:
        base = ModelPass(Encodings(denoiser), plan, store, Batching(8), SILENT)
        check_base([Answers], base, plan)
        rests = gather_base([Answers], base, plan, None)
        rows = sum(sample_rows(plan)[stage] for stage, _ in store.measured())
    assert rows == audit_cost(plan, 4).base
    with SampleStore(tmp_path / "t.sqlite") as store:
        seen = gather_tuned(rests, ModelPass(Encodings(denoiser), plan, store, Batching(8), SILENT))[Answers]
    assert seen.labelled.images.shape == (4, 3, 64, 64)
    assert seen.labelled.labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(seen.base, seen.tuned, equal_nan=True)  # the model was not changed in between
    assert not np.array_equal(seen.base, seen.other, equal_nan=True)
    assert seen.base.shape == (4, 2, 2)
    assert len(set(seen.labelled.items)) == 4


class HostedDenoiser(DiffusersDenoiser):
    """A base that another program runs."""

    host = {"program": "1.0"}  # noqa: RUF012 - set anew by the test


def test_a_base_result_belongs_to_the_version_of_the_program_that_ran_the_base(tmp_path, plan, images):
    hosted = HostedDenoiser(tiny_parts(), "tiny", "demo")
    plan = dataclasses.replace(plan, metrics=("denoiser_drift",))
    seen = []
    for version in ("1.0", "1.0", "2.0"):
        hosted.host = {"program": version}
        report = audit(hosted, lora(tmp_path), 1.0, plan, setting(tmp_path, images))
        assert report.environment["program"] == version
        seen.append(len(list((tmp_path / "cache").glob("base-*.sqlite"))))
    assert seen == [1, 1, 2]


def test_decided_early_the_verdict_is_the_same_and_the_rest_is_not_measured(denoiser, plan, images, tmp_path):
    whole = setting(tmp_path / "whole", images)
    report = audit(denoiser, lora(tmp_path), 1.0, plan, whole)
    drift = Policy((Limit("denoiser_drift", "drift", -1.0), Limit("color", "cdi", 1e9)), "strict")
    early = dataclasses.replace(setting(tmp_path / "early", images), decide_early=True, policy=drift)
    found = audit(denoiser, lora(tmp_path), 1.0, plan, early)
    assert found.verdict.decision == "DRIFT" and list(found.measurements) == ["denoiser_drift"]
    assert found.measurements["denoiser_drift"] == report.measurements["denoiser_drift"]
    assert left_out(found) == tuple(metric for metric in plan.metrics if metric != "denoiser_drift")
    (base,) = (tmp_path / "early" / "cache").glob("base-*.sqlite")
    spent = sum(sample_rows(plan)[stage] for stage, _ in measured_in(base))
    further = (plan.images_per_prompt - 1) * len(plan.prompts) * image_rows(plan)  # what it draws, it draws at once
    assert spent == audit_cost(dataclasses.replace(plan, metrics=("denoiser_drift",)), 0).base + further
    with_all = dataclasses.replace(setting(tmp_path / "all", images), policy=drift)
    assert audit(denoiser, lora(tmp_path), 1.0, plan, with_all).verdict.decision == "DRIFT"


def test_what_no_limit_breaks_is_measured_whole_though_it_might_be_decided_early(denoiser, plan, images, tmp_path):
    mild = Policy(tuple(Limit(m, e, 1e9) for m, e in (("denoiser_drift", "drift"), ("color", "cdi"))), "mild")
    reports = [
        audit(
            denoiser, lora(tmp_path), 1.0, plan,
            dataclasses.replace(setting(tmp_path / str(early), images), decide_early=early, policy=mild),
        )
        for early in (False, True)
    ]  # fmt: skip
    assert reports[0].measurements == reports[1].measurements
    assert reports[0].verdict == reports[1].verdict
