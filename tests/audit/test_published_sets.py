"""What the preset `paper` asks of published sets, and which of their pictures."""

import numpy as np
import pytest
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.datasets.accounts import published_sets
from published import CLASSES, write

PROTOCOLS = {name: published.protocol for name, published in published_sets()}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_preset_paper_asks_a_set_as_its_authors_do(name, tmp_path):
    write(name, tmp_path)
    plan, images = plan_for(AuditRequest(preset="paper", images=tmp_path, dataset=name), "sd15", 16)
    asked = PROTOCOLS[name]
    assert (plan.per_class, plan.loss, plan.stages) == (asked.per_class, asked.loss, asked.stages)
    assert plan.dataset == name and images is not None and plan.dataset_digest == images.digest()
    assert plan.class_prompts == tuple(prompts(name, images.classes))
    quick, _ = plan_for(AuditRequest(images=tmp_path, dataset=name, per_class=1), "sd15", 16)
    assert quick.class_prompt == plan.class_prompt and quick.stages != plan.stages
    own, _ = plan_for(AuditRequest(preset="paper", images=tmp_path, dataset=name, class_prompt="{}!"), "sd15", 16)
    assert own.class_prompts[0].endswith("!") and own.stages == plan.stages


def prompts(name, classes):
    """Return the prompts, written out once more."""
    texts = {
        "cifar10": "a blurry photo of a {}.",
        "flowers102": "a photo of a {}, a type of flower.",
        "pets": "a photo of a {}, a type of pet.",
        "food101": "a photo of {}, a type of food.",
        "aircraft": "a photo of a {}, a type of aircraft.",
    }
    return [texts.get(name, "a photo of a {}.").format(one) for one in classes]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_another_seed_draws_other_pictures(name, tmp_path):
    write(name, tmp_path, each=6)
    one, same, other = (
        plan_for(AuditRequest(images=tmp_path, dataset=name, per_class=3, seed=seed), "sd15", 16)[1]
        for seed in (0, 0, 1)
    )
    assert one.digest() == same.digest() != other.digest()
    assert np.bincount(one.labels).tolist() == [3] * len(CLASSES[name] or one.classes)
