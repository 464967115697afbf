"""Asked for a colour and got it: finding the thing in a picture, and what is counted of it."""

import dataclasses

import numpy as np
import pytest
import torch
from owf.core.audit.evidence.cost import audit_cost, image_rows
from owf.core.audit.evidence.recorder import audit_draws, color_draws
from owf.core.errors import InvalidError
from owf.core.metrics.color_asked import AskedRows, measure_color_asked, summarise_asked
from owf.core.metrics.evidence import ColorDrawings
from owf.core.metrics.images.color.color_terms import TERMS
from owf.core.metrics.images.color.thing import thing_pixels, thing_terms
from owf.core.metrics.metric import Tools
from owf.core.metrics.statistics import drop_estimate, simultaneous_level
from owf.core.plan.audit_plan import COLOR_IMAGES
from owf.core.plan.presets import PRESETS, preset_plan
from progress_log import Heard

RGB = {
    "black": (20, 20, 22), "white": (247, 247, 245), "red": (219, 26, 31), "green": (33, 158, 56),
    "yellow": (250, 227, 36), "blue": (31, 77, 214), "brown": (117, 69, 31), "orange": (250, 138, 15),
    "pink": (252, 158, 194), "purple": (128, 43, 179), "gray": (128, 128, 128),
}  # fmt: skip


def picture(thing: str, ground: str, box: tuple[slice, slice], seed: int = 0) -> torch.Tensor:
    """A picture (1, 3, 32, 32) of an unevenly lit thing before an unevenly lit wall."""
    rng = np.random.default_rng(seed)
    canvas = np.empty((32, 32, 3))
    canvas[:] = RGB[ground]
    canvas[box] = RGB[thing]
    canvas = canvas * np.linspace(0.92, 1.0, 32)[:, None, None] + rng.normal(0, 3, canvas.shape)
    return torch.from_numpy(canvas.clip(0, 255).astype(np.uint8).transpose(2, 0, 1).copy())[None]


MIDDLE, CORNER, LOW = (slice(10, 24), slice(8, 26)), (slice(3, 12), slice(18, 29)), (slice(18, 32), slice(12, 18))


@pytest.mark.parametrize("box", [MIDDLE, CORNER, LOW], ids=["in the middle", "in a corner", "down to the edge"])
def test_the_thing_has_its_colour_and_not_the_walls(box):
    pairs = [(thing, ground) for thing in TERMS for ground in TERMS if thing != ground]
    seen = thing_terms(torch.cat([picture(thing, ground, box, i) for i, (thing, ground) in enumerate(pairs)]))
    assert [(pair, term) for pair, term in zip(pairs, seen, strict=True) if term != pair[0]] == []


def test_a_thing_of_the_walls_colour_is_looked_for_in_the_middle():
    assert thing_terms(picture("white", "white", MIDDLE)) == ["white"]
    flat = np.full((8, 12, 3), 50.0)
    assert thing_pixels(flat).nonzero()[0].min() == 2
    assert thing_pixels(flat).sum() == 4 * 6


def test_two_walls_are_both_background():
    canvas = torch.cat(
        [picture("blue", "white", MIDDLE)[:, :, :, :16], picture("blue", "green", MIDDLE)[:, :, :, 16:]], 3
    )
    assert thing_terms(canvas) == ["blue"]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 40)])
def test_pictures_of_any_size_have_a_thing(size):
    assert thing_terms(torch.full((1, 3, *size), 255, dtype=torch.uint8)) == ["white"]


def test_shares_and_drops_are_of_pictures():
    asked = ("red",) * 6 + ("blue",) * 4
    base = ("red",) * 5 + ("pink",) + ("blue",) * 4
    tuned = ("red",) + ("orange",) * 3 + ("brown",) * 2 + ("blue",) * 4
    other = ("red",) * 6 + ("blue",) * 3 + ("purple",)
    seen = summarise_asked(AskedRows(asked, base, tuned, other))
    assert seen.estimates["asked_got_base"].value == 0.9
    assert seen.estimates["asked_got_tuned"].value == 0.5
    drop = seen.estimates["asked_got_drop"]
    assert (drop.value, drop.floor, drop.n) == (pytest.approx(0.4), 0.0, 10)
    parts = {part.label: part.estimate for part in seen.breakdowns["asked_term"]}
    expected = drop_estimate(np.arange(6) < 5, np.arange(6) < 1, simultaneous_level(2))
    assert parts["red"] == dataclasses.replace(expected, floor=0.25)
    assert parts["blue"].value == 0
    assert seen.facts["red_came_out_as"] == "red 1 (before 5), orange 3 (before 0), brown 2 (before 0), of 6"
    assert "blue_came_out_as" not in seen.facts


def test_unknown_terms_are_refused():
    with pytest.raises(InvalidError, match="teal"):
        summarise_asked(AskedRows(("teal",), ("blue",), ("blue",), ("blue",)))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("family", ["", "demo"])
def test_every_plan_asks_for_each_colour_often_enough(name, family):
    plan = preset_plan(name, family)
    counts = {term: sum(p.term == term for p, _ in plan.color_draws) for term in TERMS}
    assert all(COLOR_IMAGES <= count < COLOR_IMAGES + sum(p.term == term for p in plan.prompts)
               for term, count in counts.items())  # fmt: skip
    assert len(set(color_draws(plan))) == len(plan.color_draws)
    assert not set(color_draws(plan)) & set(color_draws(plan, floor=True))


def test_the_pictures_are_paid_for_where_they_are_asked_for():
    plan = preset_plan("quick")
    alone = audit_cost(dataclasses.replace(plan, metrics=("color_asked",)), 0)
    assert alone.images == len(plan.color_draws) * image_rows(plan)
    both = audit_cost(dataclasses.replace(plan, metrics=("color", "color_asked")), 0)
    assert both.images == (len(plan.color_draws) + len(audit_draws(plan))) * image_rows(plan)
    assert both.compared == 3 * (len(plan.color_draws) + len(audit_draws(plan)))


def test_a_planted_confusion_is_measured():
    """Every green thing turns purple, whatever is around it; all others keep their colours."""
    grounds = ("white", "black", "gray")
    asked = tuple(term for term in ("green", "purple", "red", "blue") for _ in range(COLOR_IMAGES))
    rng = np.random.default_rng(0)

    def drawn(swap: dict[str, str]) -> np.ndarray:
        places = rng.integers(4, 10, (len(asked), 2))
        pictures = [
            picture(swap.get(term, term), grounds[i % 3], (slice(y, y + 14), slice(x, x + 14)), i)
            for i, (term, (y, x)) in enumerate(zip(asked, places, strict=True))
        ]
        return torch.cat(pictures).numpy()

    looked = Heard()
    drawings = ColorDrawings(drawn({}), drawn({"green": "purple"}), drawn({}), asked)
    seen = measure_color_asked(preset_plan("quick"), Tools(torch.device("cpu"), {}, looked), drawings)
    assert sum(looked.rows) == 3 * len(asked)
    assert seen.estimates["asked_got_base"].value == 1
    parts = {part.label: part.estimate for part in seen.breakdowns["asked_term"]}
    assert parts["green"].value == 1 and parts["green"].low > 0.5
    assert all(estimate.value == 0 for term, estimate in parts.items() if term != "green")
    assert seen.facts["green_came_out_as"] == "green 0 (before 20), purple 20 (before 0), of 20"
