"""At which size a base is asked: the request's, a smaller one of presets that are to be fast, or its own."""

import pytest
from owf.core import families
from owf.core.audit.request import AuditRequest, plan_for, side_for
from owf.core.errors import UsageError
from owf.core.plan.audit_plan import plan_digest


@pytest.mark.parametrize(
    ("family", "preset", "own", "side"),
    [
        ("flux", "quick", 1024, 512),
        ("flux2_klein", "quick", 1024, 512),
        ("z_image", "quick", 1024, 512),
        ("flux", "standard", 1024, 1024),
        ("flux", "paper", 1024, 1024),
        ("flux", "quick", 512, 512),
        ("flux", "quick", 64, 64),  # a base that was made for less is asked at that
        ("sdxl", "quick", 1024, 1024),  # it learned 1024 alone: what it draws at 512 is broken
        ("sd15", "quick", 512, 512),
    ],
)
def test_quick_asks_small_pictures_of_families_that_learned_them(family, preset, own, side):
    request = AuditRequest(preset=preset)
    assert side_for(request, family, own) == side
    assert plan_for(request, family, own)[0].resolution == (0 if side == own else side)


def test_a_size_that_is_asked_for_goes_before_the_presets():
    assert side_for(AuditRequest(resolution=1024), "flux", 1024) == 1024
    assert side_for(AuditRequest(resolution=768), "flux", 1024) == 768
    assert side_for(AuditRequest(resolution=768), "sdxl", 1024) == 768
    plans = [plan_for(AuditRequest(resolution=side), "flux", 1024)[0] for side in (0, 512, 768, 1024)]
    assert [plan.resolution for plan in plans] == [512, 512, 768, 0]
    assert plan_digest(plans[0]) == plan_digest(plans[1]) and len({plan_digest(plan) for plan in plans}) == 3


@pytest.mark.parametrize("side", [1, 496, 520, 2064, 10**9])
def test_a_size_far_from_what_the_base_learned_is_refused(side):
    with pytest.raises(UsageError, match=r"made for 1024.*multiples of 16 from 512 to 2048") as caught:
        side_for(AuditRequest(resolution=side), "flux", 1024)
    assert [setting.name for setting in caught.value.settings] == ["resolution"]


def test_smaller_sides_are_sizes_that_the_families_pictures_can_have():
    for family in families.audited():
        assert family.pipeline is not None
        assert family.smaller % family.pipeline.multiple == 0
        assert family.smaller in (0, family.resolution // 2)
