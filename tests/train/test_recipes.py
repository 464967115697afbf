"""Length and speed of a training that suit a base, by its family."""

from dataclasses import asdict
from types import SimpleNamespace

import pytest
from owf.core import families
from owf.core.errors import Setting, UsageError
from owf.core.families import RECIPES
from owf.core.train.plan import TrainPlan
from owf.core.train.session import TrainRequest, TrainSession
from small_training import two_pictures

WITH = [family for family in families.all_families() if family.recipes]


def plan_on(family, **request):
    base = SimpleNamespace(family=family, name="a base", resolution=64)
    asked = TrainRequest(TrainPlan(class_word="bag", steps=7, batch=3, rate=0.5), tuple(two_pictures()), **request)
    return TrainSession(asked).on(base).plan


@pytest.mark.parametrize("family", WITH, ids=lambda family: family.name)
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_sets_what_was_not_given(family, name):
    recipe = dict(family.recipes)[name]
    plan = plan_on(family.name, recipe=name)
    assert asdict(recipe) == {field: getattr(plan, field) for field in asdict(recipe)}
    plan = plan_on(family.name, recipe=name, given=frozenset({"rate", "class_word"}))
    assert (plan.steps, plan.batch, plan.rate) == (recipe.steps, recipe.batch, 0.5)


def test_without_a_recipe_the_plan_is_as_it_was_asked():
    assert plan_on("demo").steps == 7


@pytest.mark.parametrize(("family", "usual"), [("demo", "attention"), ("sdxl", "attention"), ("flux", "transformer")])
def test_what_nobody_chose_is_trained_as_is_usual_for_the_family(family, usual):
    assert plan_on(family).targets == usual
    assert plan_on(family, given=frozenset({"targets"})).targets == "attention"


def test_the_longer_recipe_is_behind():
    for family in WITH:
        assert [name for name, _ in family.recipes] == list(RECIPES)
        rows = [recipe.steps * recipe.batch * recipe.accumulate for _, recipe in family.recipes]
        assert rows == sorted(rows)


def test_a_family_that_has_none_says_what_to_give():
    with pytest.raises(UsageError, match="no recipe quick for Stable Diffusion in sizes") as caught:
        plan_on("custom", recipe="quick")
    assert Setting("steps") in caught.value.settings
