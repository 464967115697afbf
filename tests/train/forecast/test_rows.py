"""Rows that are foretold are those that go through the denoiser."""

import pytest
import torch
from owf.core.demo import DEMO_BASE
from owf.core.model.base import BaseChoice, load_base
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.sample import Sampling
from owf.core.train.forecast.rows import training_rows
from small_training import BANK, run, small_plan


@pytest.fixture(scope="module")
def demo():
    """Return a base that is read right: one of random weights is asked more, as nothing else fits it either."""
    return load_base(BaseChoice(str(DEMO_BASE), "folder"), torch.device("cpu"), torch.float32, offline=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"preserve": ()},
        {"preserve": ("dc", "prior", "blank", "l2"), "prior_images": 3, "preserve_every": 2, "accumulate": 2},
        {"teacher_cache": 3, "drift_every": 2, "steps": 5},
        {"drift_every": 3, "steps": 7, "drift_budget": 0.1, "preserve_rows": 3},
    ],
)
def test_a_training_asks_as_many_rows_as_foretold(demo, tmp_path, monkeypatch, options):
    monkeypatch.setattr(drawings, "SAMPLING", Sampling(3, 2.0))
    rows = {True: 0, False: 0}

    def count(module, args, kwargs):
        x = args[0] if args else kwargs["sample"]
        rows[torch.is_grad_enabled()] += len(x)

    plan, hook = small_plan(**options), demo.components["unet"].register_forward_pre_hook(count, with_kwargs=True)
    run(tmp_path, plan, demo)
    hook.remove()
    foretold = training_rows(plan, BANK, "demo", asks_learned=False)
    assert rows == {True: foretold.student, False: foretold.without_gradients}


def test_what_was_learned_and_checkpointing_cost_more():
    plan = small_plan()
    plain, asking = (training_rows(plan, BANK, "demo", asks_learned=asks) for asks in (False, True))
    assert asking.without_gradients - plain.without_gradients == asking.learned > 0 == plain.learned
    assert [plain.student_cost(anew) for anew in (False, True)] == [3 * plain.student, 4 * plain.student]
