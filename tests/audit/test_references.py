"""Reference pictures of a concept: how they are read, by which words it is asked, and what an audit says of them."""

import dataclasses

import numpy as np
import pytest
import torch
from audits import audit
from owf.core.adapter import read_adapter
from owf.core.audit import references as asking
from owf.core.audit.audit import AuditSetting
from owf.core.audit.learned.evidence import REFERENCES, SEEDS
from owf.core.audit.references import References, concept_of, likeness_rows, measure_references, read_references
from owf.core.audit.request import AuditRequest
from owf.core.errors import Setting, UsageError
from owf.core.families import Drawing
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling
from owf.core.plan.audit_plan import Prompt
from owf.core.plan.concept import Concept
from owf.core.plan.presets import preset_plan
from owf.core.verdict.learning import NOT_SHOWN
from owf.core.verdict.policy import default_policy
from owf.core.verdict.report import parse_report, to_json
from PIL import Image
from progress_log import Heard
from tiny_sd import tiny_parts, write_tiny_lora


class Colours:
    """A network whose features are an image's mean colour."""

    name, digest = "colours", "0"

    def __call__(self, images):
        return 1 + images.float().mean(dim=(2, 3)).numpy()


def pictures(count: int) -> tuple[torch.Tensor, ...]:
    values = np.random.default_rng(0).integers(0, 256, (count, 3, 64, 64), np.uint8)
    return tuple(map(torch.from_numpy, values))


@pytest.mark.parametrize(
    ("told", "claimed", "expected"),
    [
        (("sks dog",), ("other thing",), Concept("sks dog", "dog")),
        ((), ("sks dog", "sitting"), Concept("sks dog", "dog")),
        ((), ("ohwx",), Concept("ohwx", "")),
        ((), (), None),
        ((), ("  \u200b ",), None),
    ],
)
def test_the_concept_is_what_the_user_says_else_what_the_file_claims(told, claimed, expected):
    assert concept_of(told, claimed) == expected
    assert expected is None or expected.phrase == (told or claimed)[0]


def test_a_claim_of_any_length_is_cut():
    found = concept_of((), ("word " * 100_000,))
    assert found is not None and len(found.phrase) <= 300


def test_references_are_the_pictures_of_a_folder_and_nothing_else_in_it(tmp_path):
    for name, side in (("b.png", 70), ("a.jpg", 40)):
        Image.new("RGB", (side, 50), (200, 0, 0) if name == "a.jpg" else (0, 200, 0)).save(tmp_path / name)
    (tmp_path / "a.txt").write_text("a caption")
    (tmp_path / "more").mkdir()
    found = read_references(tmp_path, 64)
    assert [tuple(picture.shape) for picture in found] == [(3, 64, 64)] * 2
    assert [int(picture[0].float().mean()) > 100 for picture in found] == [True, False]  # by name
    assert [item.path.name for item in asking.left_out_of(tmp_path)] == ["a.txt", "more"]


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_a_folder_without_pictures_is_refused_by_the_setting(tmp_path, name):
    (tmp_path / "a.txt").write_text("a caption")
    # What is left out is asked before anything is loaded, and by a dry run.
    for ask in (asking.left_out_of, lambda folder: read_references(folder, 64)):
        with pytest.raises(UsageError) as caught:
            ask(tmp_path / name)
        assert caught.value.settings[-1] == Setting("references")


def test_the_digest_tells_pictures_and_networks_apart():
    some = References(pictures(3), [Colours()])
    assert some.digest == References(pictures(3), [Colours()]).digest
    other = Colours()
    other.digest = "1"
    digests = {some.digest, References(pictures(2), [Colours()]).digest, References(pictures(3), [other]).digest}
    assert len(digests) == 3


def test_words_are_for_the_map_or_for_references(tmp_path):
    with pytest.raises(UsageError, match="damage map"):
        AuditRequest(concept=("sks dog",), metrics=("kid",))
    assert AuditRequest(concept=("sks dog",), metrics=("kid",), references=tmp_path).concept == ("sks dog",)


@pytest.fixture
def cheap(monkeypatch):
    """Draw in two steps."""
    monkeypatch.setattr(drawings, "SAMPLING", Sampling(2, 1.0))


class Counted(Heard):
    """What is skipped shortens the length."""

    def skip(self, rows):
        self.length -= rows


def audited(folder, references: References, told: tuple[str, ...], progress, **more):
    plan = preset_plan("quick")
    plan = dataclasses.replace(
        plan,
        metrics=("denoiser_drift",),
        prompts=tuple(Prompt(f"a {c} bag", "colours", c) for c in ("red", "green", "blue")),
        sampling_steps=2,
        drift_timesteps=3,
    )
    setting = AuditSetting(
        folder,
        folder / "cache",
        default_policy(),
        progress,
        Batching(8),
        {},
        None,
        told=told,
        references=references,
        **more,
    )
    adapter = read_adapter(write_tiny_lora(folder / "a.safetensors", 0.3))
    return audit(DiffusersDenoiser(tiny_parts(), "tiny", "demo"), adapter, 1.0, plan, setting)


def test_an_audit_says_how_like_the_references_its_pictures_are(tmp_path, cheap):
    log = Counted()
    report = audited(tmp_path, References(pictures(4), [Colours()]), ("sks bag",), log)
    found = report.learning
    assert found is not None
    assert (found.facts["prompt"], found.facts["views_are"]) == ("a photo of a sks bag", REFERENCES)
    assert {"retrieval", "retrieval_ceiling", "copied"} <= set(found.estimates)
    assert found.estimates["retrieval"].n == found.estimates["copied"].n == SEEDS
    assert {setting.name for setting in found.settings} <= {"references"}
    assert sum(log.rows) == log.length
    assert log.length > likeness_rows(Concept("sks bag", "bag"), "demo") > 0
    read = parse_report(to_json(report), "report.json")
    assert read.learning == found


def test_the_concept_is_drawn_as_people_draw_with_the_base(tmp_path, cheap):
    log, fewer = Counted(), Counted()
    usual, found = Drawing("", guidance_scale=1.0, steps=1), References(pictures(4), [Colours()])
    for name in "ab":
        (tmp_path / name).mkdir()
    audited(tmp_path / "a", found, ("sks bag",), log)
    audited(tmp_path / "b", found, ("sks bag",), fewer, usual=usual)
    assert sum(fewer.rows) == fewer.length
    concept = Concept("sks bag", "bag")
    spared = likeness_rows(concept, "demo") - likeness_rows(concept, "demo", usual=usual)
    assert sum(log.rows) - sum(fewer.rows) == spared > 0


def test_without_words_nothing_is_drawn_and_that_is_said(tmp_path, cheap):
    report = audited(tmp_path, References(pictures(4), [Colours()]), (), Heard())
    assert report.learning is not None
    assert (report.learning.decision, report.learning.settings) == (NOT_SHOWN, (Setting("concept"),))
    assert "by which words" in report.learning.reasons[0]
    assert likeness_rows(None, "demo") == 0


def test_what_cannot_be_compared_leaves_the_audit_as_it_is(tmp_path, cheap):
    class Broken(Colours):
        def __call__(self, images):
            return np.zeros((len(images), 3), np.float32)

    report = audited(tmp_path, References(pictures(4), [Broken()]), ("sks bag",), Heard())
    assert report.measurements["denoiser_drift"].estimates["drift"].value > 0
    assert report.learning is not None and report.learning.decision == NOT_SHOWN
    assert "not measured" in report.learning.reasons[0]


def test_nobodys_words_are_no_error():
    found = measure_references(References(pictures(1), [Colours()]), None, None)
    assert found.decision == NOT_SHOWN
