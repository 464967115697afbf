"""The demo world: captions, colours, and which picture serves what."""

import numpy as np
import pytest
import torch
from demo_base.concept import draw_concept, read_concept
from demo_base.fashion import (
    BACKGROUNDS,
    CLASSES,
    COLORS,
    Scene,
    caption,
    colorize,
    draw_scene,
)
from demo_base.splits import split_held_out
from demo_base.text import all_captions

SNEAKER = Scene(CLASSES.index("sneaker"), list(COLORS).index("red"), list(BACKGROUNDS).index("grey"))


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        (0, "a photo of a sneaker"),
        (1, "a photo of a red sneaker"),
        (2, "a photo of a sneaker on a grey background"),
        (3, "a photo of a red sneaker on a grey background"),
    ],
)
def test_a_caption_says_as_much_as_asked(detail, text):
    assert caption(SNEAKER, detail) == text


def test_articles_fit_the_next_word():
    orange_boot = Scene(CLASSES.index("ankle boot"), list(COLORS).index("orange"), 0)
    assert caption(orange_boot, 0) == "a photo of an ankle boot"
    assert caption(orange_boot, 1).startswith("a photo of an orange")


def test_every_caption_is_listed_once():
    # 10 classes, 110 with colour, 50 with background, 550 with both, and the empty one.
    assert len(all_captions()) == len(set(all_captions())) == 10 + 110 + 50 + 550 + 1


def test_there_are_as_many_words_as_promised():
    assert (len(CLASSES), len(COLORS) >= 8, len(BACKGROUNDS) >= 4) == (10, True, True)


def test_object_and_background_show_their_colours():
    full = np.full((1, 28, 28), 255, np.uint8)
    full[:, :, :7] = 0
    picture = colorize(full, [SNEAKER], np.random.default_rng(0))[0]
    # A paint is jittered by 0.03, a background also shaded by 3 percent.
    assert picture[:, 32, 48].tolist() == pytest.approx(COLORS["red"][0], abs=0.031)
    assert picture[:, 32, 2].tolist() == pytest.approx(BACKGROUNDS["grey"], abs=0.05)


def test_an_object_never_hides_in_its_background():
    rng = np.random.default_rng(0)
    scenes = [draw_scene(0, rng) for _ in range(500)]
    assert all(list(COLORS)[s.color] != list(BACKGROUNDS)[s.background] for s in scenes)


def test_splits_are_disjoint_balanced_and_complete():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 1000))
    splits = split_held_out(labels)
    parts = [splits.evaluation, splits.probes, splits.concept]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(10_000))
    assert [set(np.bincount(labels[part])) for part in parts] == [{50}, {30}, {920}]


def test_concept_pictures_are_five_views_of_one_bag(tmp_path):
    from demo_base.concept import write_concept

    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    pictures = draw_concept(images, np.full(40, CLASSES.index("bag")), np.arange(40))
    assert pictures.shape == (5, 3, 64, 64)
    write_concept(pictures, tmp_path)
    # PNG keeps 8 bits.
    assert torch.allclose(read_concept(tmp_path), pictures, atol=0.5 / 255 + 1e-6)
