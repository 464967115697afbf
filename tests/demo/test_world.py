"""The demo world: captions, colours, patterns, and which picture serves what."""

import numpy as np
import pytest
import torch
from demo_base.stages.stage import step_generators
from demo_base.stages.text import all_captions
from demo_base.world.concept import CONCEPT, VIEWS, draw_views
from demo_base.world.drawing import colorize, pattern_mask
from demo_base.world.looks import LOOKS, look
from demo_base.world.splits import split_held_out
from demo_base.world.textures import TEXTURES
from demo_base.world.world import BACKGROUNDS, CLASSES, COLORS, DEPTHS, PATTERNS, Scene, all_scenes, caption, draw_scene
from PIL import Image

RED, WHITE, ORANGE = (list(COLORS).index(name) for name in ("red", "white", "orange"))
SNEAKER = Scene(CLASSES.index("sneaker"), RED, list(BACKGROUNDS).index("grey"))
STRIPED = Scene(SNEAKER.label, RED, SNEAKER.background, PATTERNS.index("striped"), WHITE)


@pytest.mark.parametrize(
    ("depth", "plain", "striped"),
    [
        ("class", "a photo of a sneaker", "a photo of a sneaker"),
        ("look", "a photo of a red sneaker", "a photo of a red and white striped sneaker"),
        ("background", "a photo of a sneaker on a grey background", "a photo of a sneaker on a grey background"),
        (
            "both",
            "a photo of a red sneaker on a grey background",
            "a photo of a red and white striped sneaker on a grey background",
        ),
        ("pattern", "a photo of a sneaker", "a photo of a striped sneaker"),
        (
            "pattern and background",
            "a photo of a sneaker on a grey background",
            "a photo of a striped sneaker on a grey background",
        ),
    ],
)
def test_a_caption_says_as_much_as_asked(depth, plain, striped):
    assert depth in DEPTHS
    assert (caption(SNEAKER, depth), caption(STRIPED, depth)) == (plain, striped)


def test_articles_fit_the_next_word():
    orange_boot = Scene(CLASSES.index("ankle boot"), ORANGE, 0)
    assert caption(orange_boot, "class") == "a photo of an ankle boot"
    assert caption(orange_boot, "look").startswith("a photo of an orange")


def test_every_caption_is_listed_once():
    # Of a class: its name alone, 11 colours, 4 patterns, 4 patterns of 11 x 10 colours; each also before 5 backgrounds,
    # where nothing of one colour has the background's (black, white, grey); and the empty caption.
    looks = 1 + 11 + 4 + 4 * 11 * 10
    assert len(all_captions()) == len(set(all_captions())) == 10 * (looks * 6 - 3) + 1


def test_thousands_of_things_exist():
    scenes = all_scenes()
    assert len(scenes) == len(set(scenes)) == 10 * (11 * 5 - 3 + 4 * 11 * 10 * 5)


def test_object_and_background_show_their_colours():
    full = np.full((1, 28, 28), 255, np.uint8)
    full[:, :, :7] = 0
    picture = colorize(full, [SNEAKER], np.random.default_rng(0))[0]
    # A paint is jittered by 0.03, a background also shaded by 3 percent.
    assert picture[:, 48, 72].tolist() == pytest.approx(COLORS["red"][0], abs=0.031)
    assert picture[:, 48, 3].tolist() == pytest.approx(BACKGROUNDS["grey"], abs=0.05)


@pytest.mark.parametrize("pattern", PATTERNS[1:])
def test_a_pattern_shows_both_colours_and_soft_edges_between(pattern):
    mask = pattern_mask(pattern, np.random.default_rng(0))
    assert mask.shape == (1, 96, 96)
    assert (mask >= 0).all()
    assert (mask <= 1).all()
    # Dots cover less than a half, nothing less than a fifth; and no more than the edges' pixels are mixed.
    assert 0.2 < mask.mean() < 0.6
    assert ((mask > 0.01) & (mask < 0.99)).float().mean() < 0.35


def test_what_is_plain_has_no_second_colour():
    assert pattern_mask("plain", np.random.default_rng(0)).sum() == 0
    rng = np.random.default_rng(0)
    scenes = [draw_scene(0, rng) for _ in range(500)]
    assert all((s.second is None) == (PATTERNS[s.pattern] == "plain") and s.second != s.color for s in scenes)
    assert set(scenes) <= set(all_scenes())


def test_an_object_never_hides_in_its_background():
    rng = np.random.default_rng(0)
    scenes = [draw_scene(0, rng) for _ in range(500)]
    plain = [s for s in scenes if s.second is None]
    assert all(list(COLORS)[s.color] != list(BACKGROUNDS)[s.background] for s in plain)


def test_a_picture_depends_on_its_own_draws_alone():
    gray = np.full((2, 28, 28), 255, np.uint8)
    first, second = (colorize(gray, [SNEAKER, scene], np.random.default_rng(3)) for scene in (SNEAKER, STRIPED))
    assert torch.equal(first[0], second[0])


def test_splits_are_disjoint_balanced_and_complete():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 1000))
    splits = split_held_out(labels)
    parts = [splits.evaluation, splits.probes, splits.concept]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(10_000))
    assert [set(np.bincount(labels[part])) for part in parts] == [{50}, {30}, {920}]


def test_concept_pictures_are_five_views_of_one_thing(tmp_path):
    from demo_base.world.concept import write_concept

    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    pictures = draw_views(CONCEPT, VIEWS, images, np.full(40, CLASSES.index(CONCEPT.word)), np.arange(40))
    assert pictures.shape == (5, 3, 96, 96)
    write_concept(pictures, tmp_path)
    seen = np.stack([np.asarray(Image.open(file)) for file in sorted(tmp_path.glob("*.png"))]) / 255
    # PNG keeps 8 bits.
    assert np.abs(seen - pictures.permute(0, 2, 3, 1).numpy()).max() <= 0.5 / 255 + 1e-6


def test_looks_differ_from_one_another_and_are_pictures():
    surfaces = torch.stack([look(name) for name in LOOKS])
    assert surfaces.shape == (20, 3, 96, 96)
    assert 0 <= surfaces.min() <= surfaces.max() <= 1
    apart = torch.pdist(surfaces.flatten(1), p=1) / surfaces[0].numel()
    assert apart.min() > 0.1


@pytest.mark.parametrize("texture", TEXTURES, ids=lambda draw: draw.__name__)
def test_textures_are_pictures_that_their_seed_alone_decides(texture):
    drawn = [texture(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0].shape == (3, 96, 96)
    assert 0 <= drawn[0].min() <= drawn[0].max() <= 1
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_step_s_draws_depend_on_seed_step_and_part():
    draws = [step_generators(1, 5, part)[0].random() for part in (0, 1, 0)]
    assert draws[0] == draws[2] != draws[1]
