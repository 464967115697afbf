"""What the preservation terms ask."""

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.batch import Batch
from owf.core.progress import SILENT
from owf.core.train.data.captions import Concept
from owf.core.train.data.concept import ConceptData
from owf.core.train.data.drawings import Drawings
from owf.core.train.data.rows import Draw
from owf.core.train.methods.method import attach
from owf.core.train.preserve.term import Situation, make_term
from small_training import BANK, small_plan, tiny_denoiser, two_pictures

STRIPPED = {"a photo of a bag", "a bag on a table"}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    denoiser = tiny_denoiser()
    cache = tmp_path_factory.mktemp("cache")
    return denoiser, attach(denoiser, small_plan()), cache


def situation(parts, **options):
    denoiser, method, cache = parts
    plan = small_plan(**options)
    pictures = two_pictures()
    data = ConceptData(denoiser, [p.pixels for p in pictures], [p.caption for p in pictures], [1, 1], plan)
    drawings = Drawings(denoiser, cache, Batch(4), SILENT)
    return Situation(denoiser, method, plan, Concept("sks", plan.class_word), BANK, drawings, data)


def asked(parts, name, steps=20, **options):
    s = situation(parts, preserve=(name,), **options)
    with s.method.off():
        term = make_term(name, s)
    batches = [(s.data.rows(Draw(0, i)), Draw(0, i)) for i in range(steps)]
    return [(rows, term.questions(rows, draw)) for rows, draw in batches]


def test_class_asks_the_concepts_noised_pictures_without_the_trigger(parts):
    for concept, (question,) in asked(parts, "class"):
        assert set(question.rows.captions) <= STRIPPED
        assert torch.equal(question.rows.x0, concept.x0) and torch.equal(question.rows.eps, concept.eps)
        assert torch.equal(question.rows.t, concept.t) and question.target is None


def test_blank_asks_them_without_a_caption(parts):
    for concept, (question,) in asked(parts, "blank"):
        assert set(question.rows.captions) == {""} and torch.equal(question.rows.x0, concept.x0)


def test_prior_asks_pictures_of_the_class_for_their_own_noise(parts):
    for concept, (question,) in asked(parts, "prior", prior_images=3):
        assert set(question.rows.captions) == {"a photo of a bag"}
        assert not torch.equal(question.rows.eps, concept.eps)
        assert torch.equal(question.target, question.rows.eps)


def test_dc_mixes_trigger_less_captions_and_the_bank(parts):
    captions = [c for _, qs in asked(parts, "dc", mismatch=0) for q in qs for c in q.rows.captions]
    assert set(captions) == STRIPPED | set(BANK.prompts)
    assert sum(c in STRIPPED for c in captions) == len(captions) / 2  # two rows a step, half of them from the bank


def test_dc_never_names_the_concept_and_shuffles_captions(parts):
    questions = [q for _, qs in asked(parts, "dc", mismatch=1, steps=60) for q in qs]
    captions = {c for q in questions for c in q.rows.captions}
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
        for question in found:
            x_t = denoiser.schedule.noise(question.rows.x0, question.rows.eps, question.rows.t)
            again = denoiser.predict(x_t, question.rows.t, denoiser.encode_text(question.rows.captions))
            # Batches of one and of two rows round differently in the last bits of float32.
            assert torch.allclose(again, question.target, atol=1e-5)
    assert len({tuple(q.rows.eps.flatten().tolist()) for q in found for q in [q]}) <= 9


def test_l2_is_the_squared_norm_of_all_changes(parts):
    s = situation(parts)
    penalty = make_term("l2", s).penalty()
    expected = sum(float(change.detach().square().sum()) for change in s.method.changes())
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", ["class", "dc", "prior"])
def test_a_missing_class_is_noticed_before_the_first_step(parts, name):
    with pytest.raises(UsageError, match="what kind of thing"):
        make_term(name, situation(parts, class_word="", preserve=(name,)))


def test_drawings_are_made_once_and_repeats_have_seeds_of_their_own(parts, monkeypatch):
    denoiser, _, cache = parts
    first = Drawings(denoiser, cache, Batch(4), SILENT).latents("x", ["a bag", "a bag", "a hat"])
    assert not torch.equal(first[0], first[1])
    monkeypatch.setattr(denoiser, "predict", None)  # would raise if anything were drawn again
    again = Drawings(denoiser, cache, Batch(1), SILENT).latents("x", ["a bag", "a bag", "a hat"])
    assert torch.equal(first, again)
