"""Claim: the heat map shows every block with its number, and shades it by its share of the largest."""

import math

import pytest
from owf.core.render.heat_map import NOT_FINITE, Entry, by_component, heat_map, relative_heat_map, strongest
from owf.core.verdict.report import BlockChange

KINDS = ("self-attention", "cross-attention", "other")


def changes(*sizes):
    return [BlockChange("unet", f"down {i}", "other", 1, size) for i, size in enumerate(sizes)]


def cells(whole):
    return [(cell.text, cell.level) for row in whole.rows for cell in row.cells]


def test_levels_are_quarters_of_the_largest_and_zero_has_none():
    sizes = [0.0, 1e-9, 0.25, 0.26, 0.75, 1.0]
    whole = heat_map([Entry("unet", f"down {i}", "other", size) for i, size in enumerate(sizes)], KINDS, str)
    assert [level for _, level in cells(whole)] == [0, 1, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [None, math.nan, math.inf])
def test_what_is_not_finite_is_said_and_shades_nothing_else(size):
    assert cells(relative_heat_map(changes(0.1, size))) == [("10.0", 4), ("NaN/∞", NOT_FINITE)]


def test_a_tiny_change_does_not_read_as_none():
    assert cells(relative_heat_map(changes(0.0, 1e-7, 0.5))) == [("0.0", 0), ("<0.1", 1), ("50.0", 4)]


def test_nothing_changed_at_all():
    assert cells(relative_heat_map(changes(0.0))) == [("0.00", 0)]
    assert by_component(relative_heat_map(())) == []


def test_components_are_split_with_their_own_columns_and_common_shades():
    blocks = [BlockChange("text_encoder", "text 0", "other", 1, 0.1), BlockChange("unet", "mid", "resnet", 1, 0.4)]
    text, unet = by_component(relative_heat_map(blocks))
    assert (text.title, text.whole.kinds, cells(text.whole)) == ("Text encoder", ("other",), [("10.0", 1)])
    assert (unet.title, unet.whole.kinds, cells(unet.whole)) == ("UNet", ("resnet",), [("40.0", 4)])


def test_the_strongest_blocks_are_kept_in_the_order_of_the_network():
    kept = strongest(relative_heat_map(changes(0.1, 0.5, None, 0.2)), 3)
    assert [row.title for row in kept.rows] == ["down 1", "down 2", "down 3"]
