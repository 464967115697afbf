"""What the preservation terms ask."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.drawings import LatentCache
from owf.core.model.diffusion.encodings import Encodings
from owf.core.plan.concept import Concept
from owf.core.progress import SILENT
from owf.core.train import preserve
from owf.core.train.data.concept import ConceptData
from owf.core.train.data.rows import Draw
from owf.core.train.data.text_cache import TextCache
from owf.core.train.methods.method import attach
from owf.core.train.plan import TERMS, TrainPlan, plan_digest
from owf.core.train.preserve import term
from owf.core.train.preserve.term import TermContext, all_terms, make_regularizer
from small_training import BANK, small_plan, tiny_denoiser, two_pictures

ONE_MORE_TERM = Path(__file__).resolve().parents[2] / "support" / "one_more_term.py"
STRIPPED = {"a photo of a bag", "a bag on a table"}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    denoiser = tiny_denoiser()
    cache = tmp_path_factory.mktemp("cache")
    return denoiser, attach(denoiser, small_plan()), cache


def context(parts, **options):
    denoiser, method, cache = parts
    plan = small_plan(**options)
    pictures = two_pictures()
    encodings = Encodings(denoiser)
    data = ConceptData(encodings, [p.pixels for p in pictures], [p.caption for p in pictures], [1, 1], plan)
    drawings = LatentCache(denoiser, cache, Batching(4), SILENT)
    return TermContext(
        denoiser, method, plan, Concept("sks", plan.class_word), BANK, drawings, data, TextCache(encodings)
    )


def asked(parts, name, steps=20, **options):
    s = context(parts, preserve=(name,), **options)
    with s.method.off():
        made = make_regularizer(name, s)
    batches = [(s.data.rows(Draw(0, i)), Draw(0, i)) for i in range(steps)]
    return [(rows, made.examples(rows, draw)) for rows, draw in batches]


def test_class_asks_the_concepts_noised_pictures_without_the_trigger(parts):
    for concept, (part,) in asked(parts, "class"):
        assert set(part.rows.captions) <= STRIPPED
        assert torch.equal(part.rows.x0, concept.x0) and torch.equal(part.rows.eps, concept.eps)
        assert torch.equal(part.rows.t, concept.t) and part.target is None


def test_blank_asks_them_without_a_caption(parts):
    for concept, (part,) in asked(parts, "blank"):
        assert set(part.rows.captions) == {""} and torch.equal(part.rows.x0, concept.x0)


def test_prior_asks_pictures_of_the_class_for_their_own_noise(parts):
    for concept, (part,) in asked(parts, "prior", prior_images=3):
        assert set(part.rows.captions) == {"a photo of a bag"}
        assert not torch.equal(part.rows.eps, concept.eps)
        assert torch.equal(part.target, part.rows.eps)


def test_dc_mixes_trigger_less_captions_and_the_bank(parts):
    captions = [c for _, qs in asked(parts, "dc", mismatch=0) for q in qs for c in q.rows.captions]
    assert set(captions) == STRIPPED | set(BANK.prompts)
    assert sum(c in STRIPPED for c in captions) == len(captions) / 2  # two rows a step, half of them from the bank


def test_dc_never_names_the_concept_and_shuffles_captions(parts):
    asked_of = [q for _, qs in asked(parts, "dc", mismatch=1, steps=60) for q in qs]
    captions = {c for q in asked_of for c in q.rows.captions}
    assert captions == STRIPPED | set(BANK.prompts) | {""}
    assert not any("sks" in c for c in captions)


@pytest.mark.parametrize(("share", "expected"), [(0, STRIPPED), (1, set(BANK.prompts))])
def test_dc_with_one_of_the_two_alone(parts, share, expected):
    captions = {c for _, qs in asked(parts, "dc", mismatch=0, bank_share=share) for q in qs for c in q.rows.captions}
    assert captions == expected


def test_dc_counts_rows_exactly_also_where_the_share_does_not_divide(parts):
    counts = [sum(len(q.rows) for q in qs) for _, qs in asked(parts, "dc", preserve_rows=3, bank_share=0.4)]
    assert set(counts) == {3}


def test_a_fixed_set_repeats_the_bases_predictions(parts):
    denoiser, method, _ = parts
    found = [q for _, qs in asked(parts, "dc", teacher_cache=3, steps=6) for q in qs]
    with method.off(), torch.no_grad():
        for part in found:
            x_t = denoiser.schedule.noise(part.rows.x0, part.rows.eps, part.rows.t)
            again = denoiser.predict(x_t, part.rows.t, denoiser.encode_text(part.rows.captions))
            # Batches of one and of two rows round differently in the last bits of float32.
            assert torch.allclose(again, part.target, atol=1e-5)
    assert len({tuple(q.rows.eps.flatten().tolist()) for q in found for q in [q]}) <= 9


def test_l2_is_the_squared_norm_of_all_changes(parts):
    s = context(parts)
    penalty = make_regularizer("l2", s).penalty()
    expected = sum(float(change.detach().square().sum()) for change in s.method.changes())
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", ["class", "dc", "prior"])
def test_a_missing_class_is_noticed_before_the_first_step(parts, name):
    with pytest.raises(UsageError, match="what kind of thing"):
        make_regularizer(name, context(parts, class_word="", preserve=(name,)))


def test_drawings_are_made_once_and_repeats_have_seeds_of_their_own(parts, monkeypatch):
    denoiser, _, cache = parts
    first = LatentCache(denoiser, cache, Batching(4), SILENT).latents("x", ["a bag", "a bag", "a hat"])
    assert not torch.equal(first[0], first[1])
    monkeypatch.setattr(denoiser, "predict", None)  # would raise if anything were drawn again
    again = LatentCache(denoiser, cache, Batching(1), SILENT).latents("x", ["a bag", "a bag", "a hat"])
    assert torch.equal(first, again)


HALVED = '''"""`halved`: the empty caption on half of the concept's rows."""

from .term import Examples, Regularizer, Term


class Halved(Regularizer):
    def __init__(self, context):
        self.count = context.plan.batch // 2

    def examples(self, concept, draw):
        return (Examples(concept.cycled(self.count).captioned([""] * self.count), None),)


TERM = Term(name="halved", order=1000, help="an example", weight=2.5, make=Halved)
'''


def test_a_term_is_one_file(parts, tmp_path, monkeypatch):
    """A file in the folder is a name, an option with a weight, a key of TOML files, and what it asks.

    It changes the digest of no plan but those that preserve it: else every checkpoint would be refused.
    """
    (tmp_path / "halved.py").write_text(HALVED)
    result = subprocess.run([sys.executable, ONE_MORE_TERM, tmp_path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "terms": [*TERMS, "halved"],
        "weight": 2.5,
        "key": 0.5,
        "help": True,
        "torch": False,
        "digest": plan_digest(TrainPlan()),
        "counts": True,
    }
    monkeypatch.setattr(preserve, "__path__", [*preserve.__path__, str(tmp_path)])
    monkeypatch.setattr(term, "all_terms", all_terms.__wrapped__)
    s = context(parts)
    (part,) = make_regularizer("halved", s).examples(s.data.rows(Draw(0, 0)), Draw(0, 0))
    assert part.rows.captions == ("",)
