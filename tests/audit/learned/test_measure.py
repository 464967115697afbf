"""What pictures of plain colours say of a concept: fidelity, retrieval, copies, and what they mean together."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from owf.core import families
from owf.core.audit.learned import evidence
from owf.core.audit.learned.evidence import TRAINED_ON, VIEWS, ConceptAsked, ConceptEvidence, distinct, spread
from owf.core.audit.learned.looks import looks, shipped_looks
from owf.core.audit.learned.measure import learning
from owf.core.families.prompt_form import IN_SENTENCES, TAGS, PromptForm
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.concept import Concept
from owf.core.progress import SILENT
from owf.core.verdict.learning import CONCEPTS, LEARNED, NOT_LEARNED, NOT_SHOWN
from small_training import tiny_denoiser

RED, BLUE = (230, 20, 20), (20, 20, 230)


class Colours:
    """A network whose features are an image's mean colour."""

    name, digest = "colours", "0"

    def __call__(self, images):
        return 1 + images.float().mean(dim=(2, 3)).numpy()


def plain(colour, count, seed, spread=8.0, side=16):
    """Return images of about one colour, one a seed."""
    rng = np.random.default_rng(seed)
    values = np.clip(np.array(colour) + spread * rng.normal(size=(count, 3)), 0, 255)
    return tuple(torch.tensor(v, dtype=torch.uint8).view(3, 1, 1).expand(3, side, side) for v in values)


LOOKS = tuple(plain((0, 255 - 8 * i, 8 * i), 2, 100 + i, 2.0) for i in range(CONCEPTS - 1))
"""Nineteen looks from green to blue."""


def seen(colour, **changes):
    """Return the evidence of a model that draws a colour where it was to learn red, and the base blue."""
    views = plain(RED, 5, 1)
    usual = ConceptEvidence(
        "a sks bag", plain(colour, 16, 2), plain(BLUE, 16, 3), LOOKS, views, views, views, TRAINED_ON
    )
    return replace(usual, **changes)


def test_a_model_that_draws_the_concept_has_learned_it():
    found = learning(seen(RED), [Colours()])
    assert found.decision == LEARNED
    assert found.estimates["fidelity"].value == pytest.approx(1, abs=0.01)
    assert found.estimates["retrieval"].value == found.estimates["retrieval_ceiling"].value == 1
    assert found.estimates["retrieval"].floor == 0
    assert found.facts["views"] == 5
    assert found.facts["views_are"] == TRAINED_ON
    base, tuned = (float(found.facts[f"cosine_{name}"]) for name in ("base", "tuned"))
    assert base < tuned <= 1


def test_a_model_that_draws_as_the_base_does_has_not():
    found = learning(seen(BLUE), [Colours()])
    assert found.decision == NOT_LEARNED
    assert found.estimates["fidelity"].value == pytest.approx(0, abs=0.02)
    assert found.estimates["retrieval"].value == 0
    assert {"steps", "rate", "dc_weight"} == {setting.name for setting in found.settings}


def test_a_model_that_draws_something_else_has_not_either():
    # Green is as far from red as blue is, and the first of the other looks.
    assert learning(seen((0, 255, 0)), [Colours()]).decision == NOT_LEARNED


def test_without_a_class_there_are_no_other_looks_and_nothing_is_shown():
    found = learning(seen(RED, looks=()), [Colours()])
    assert found.decision == NOT_SHOWN
    assert "retrieval" not in found.estimates


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pictures_show_no_fidelity(count):
    views = plain(RED, count, 1)
    found = learning(seen(RED, views=views, trips=views, training=views), [Colours()])
    assert found.decision == NOT_SHOWN
    assert "fidelity" not in found.estimates
    assert ("copied" in found.estimates) is (count == 2)


def test_a_base_that_draws_the_concept_anyway_leaves_no_scale():
    found = learning(seen(RED, base=plain(RED, 16, 4)), [Colours()])
    assert "fidelity" not in found.estimates
    assert found.decision == NOT_SHOWN  # the base retrieves it as well
    assert "cannot be measured" in found.reasons[0]


def test_copies_of_training_pictures_are_counted():
    training = plain(RED, 5, 1, 40.0)
    copies = (training[0],) * 4 + plain(BLUE, 12, 2)
    found = learning(seen(RED, tuned=copies, training=training), [Colours()])
    assert (found.estimates["copied"].value, found.estimates["copied"].floor) == (0.25, 0)


def test_views_of_several_shapes_are_compared_in_their_order():
    views = plain(RED, 3, 1, side=16) + plain(BLUE, 3, 2, side=24)
    mixed = tuple(views[i] for i in (0, 3, 1, 4, 2, 5))
    one = learning(seen(RED, views=mixed, trips=mixed), [Colours()])
    other = learning(seen(RED, views=tuple(v[:, :16, :16] for v in mixed), trips=mixed), [Colours()])
    assert one.facts["cosine_ceiling"] == pytest.approx(other.facts["cosine_ceiling"], rel=1e-12)


@pytest.mark.parametrize("count", [1, 5, VIEWS, VIEWS + 1, 300])
def test_of_many_views_some_from_first_to_last_are_compared(count):
    images = tuple(torch.tensor([i]) for i in range(count))
    found = [int(image) for image in spread(images)]
    assert len(set(found)) == len(found) == min(count, VIEWS)
    assert (found[0], found[-1]) == (0, count - 1)
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("family", "form", "file"),
    [
        ("sd15", IN_SENTENCES, "open_world.txt"),
        ("demo", IN_SENTENCES, "demo.txt"),
        ("sdxl", PromptForm(TAGS), "tags.txt"),
    ],
)
def test_nineteen_other_looks_of_the_class_none_of_which_names_the_concept(family, form, file):
    assert shipped_looks(family, form.name).name == file
    found = looks(Concept("sks", "bag"), family, form)
    assert len(set(found)) == CONCEPTS - 1
    assert all("bag" in look and "{}" not in look for look in found)
    assert looks(Concept("sks", ""), family) == ()
    for trigger in ("red", "white", "black"):
        others = looks(Concept(trigger, "bag"), family, form)
        assert len(set(others)) == CONCEPTS - 1
        assert not any(trigger in look.split() for look in others)
    assert looks(Concept("photo" if form == IN_SENTENCES else "bag", "bag"), family, form) == ()


def test_a_base_of_tags_is_asked_for_concept_and_looks_behind_its_prefix():
    form, concept = families.get("sdxl").prompt_form("auto", ["ponyDiffusionV6XL"]), Concept("sks", "bag")
    asked = ConceptAsked(concept, "a photo of {}", (), (), TRAINED_ON, form)
    assert asked.prompt == f"{form.prefix}, sks bag"
    assert replace(asked, caption="{}, on a table").prompt == f"{form.prefix}, sks bag, on a table"
    assert replace(asked, form=IN_SENTENCES).prompt == "a photo of a sks bag"
    bare = looks(concept, "sdxl", PromptForm(TAGS))
    assert looks(concept, "sdxl", form) == tuple(f"{form.prefix}, {look}" for look in bare)


@pytest.mark.parametrize("negative", ["", "worst quality"])
def test_concept_looks_and_both_models_are_drawn_away_from_the_bases_negative(tmp_path, monkeypatch, negative):
    drawn = []

    def draw(denoiser, prompts, seeds, sampling, batch, progress):
        drawn.extend((prompt, sampling.negative) for prompt in prompts)
        return torch.zeros(len(prompts), 4, 8, 8)

    monkeypatch.setattr(evidence, "generate_latents", draw)
    monkeypatch.setattr(drawings, "generate_latents", draw)
    form = PromptForm(TAGS, "masterpiece", negative) if negative else IN_SENTENCES
    views = tuple(torch.zeros(3, 64, 64, dtype=torch.uint8) + i for i in range(3))
    asked = ConceptAsked(Concept("sks", "bag"), "a photo of {}", views, views, TRAINED_ON, form)
    evidence.gather(asked, evidence.Drawing(tiny_denoiser(), nullcontext, tmp_path, Batching(4), SILENT))
    assert {away for _, away in drawn} == {negative}
    assert len(drawn) * drawings.SAMPLING.rows == evidence.drawn_rows(asked.concept, "demo", form)
    assert sum(prompt == asked.prompt for prompt, _ in drawn) == 2 * evidence.SEEDS


def test_a_picture_that_is_there_several_times_is_one_view():
    """Otherwise it would be the best likeness of itself, and views would seem to be better known than they are."""
    views = plain(RED, 3, 1)
    found = distinct((views[0], views[1], views[0].clone(), views[2], views[1]))
    assert torch.equal(torch.stack(found), torch.stack(views))
    assert len(distinct((views[0], views[0][:, :8]))) == 2
    assert len(distinct(views[:1] * 5)) == 1
    [first, last] = distinct(views, but=(views[1].clone(),))
    assert torch.equal(first, views[0])
    assert torch.equal(last, views[2])


def test_pictures_that_are_all_there_twice_hide_no_copy():
    training = distinct(tuple(picture for picture in plain(RED, 6, 8, 60.0) for _ in range(2)))
    copies = (training[0],) * 4 + plain(BLUE, 12, 2)
    assert learning(seen(RED, tuned=copies, training=training), [Colours()]).estimates["copied"].value == 0.25
