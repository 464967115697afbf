"""Aspect-ratio buckets: shapes that fit, batches of one shape, epochs that miss nobody."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from owf.core.train.data.buckets import MAX_RATIO, bucket_shapes, epoch_order, nearest_bucket

RESOLUTIONS = st.integers(1, 256).map(lambda n: 8 * n)
STEPS = st.integers(1, 32).map(lambda n: 8 * n)


@given(RESOLUTIONS, STEPS)
def test_shapes_are_multiples_of_the_step_and_no_larger_than_the_square(resolution, step):
    square = (resolution, resolution)
    shapes = bucket_shapes(resolution, step)
    assert square in shapes
    for height, width in shapes:
        assert height * width <= resolution**2
        assert max(height, width) <= MAX_RATIO * min(height, width)
        assert (height, width) == square or (height % step, width % step) == (0, 0)
        assert (width, height) in shapes


def test_the_shapes_of_stable_diffusion_are_the_usual_ones():
    shapes = bucket_shapes(512, 64)
    assert {(512, 512), (640, 384), (384, 640), (576, 448), (704, 320)} & set(shapes) >= {(640, 384), (576, 448)}
    assert bucket_shapes(512, 0) == ((512, 512),)
    assert bucket_shapes(64, 64) == ((64, 64),)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_no_other_bucket_is_nearer(height, width):
    shapes = bucket_shapes(512, 64)
    far = lambda shape: abs(math.log(shape[1] / shape[0]) - math.log(width / height))  # noqa: E731
    assert far(nearest_bucket(height, width, shapes)) == min(map(far, shapes))


def test_upright_and_wide_pictures_get_their_own_bucket():
    shapes = bucket_shapes(512, 64)
    assert nearest_bucket(512, 512, shapes) == (512, 512)
    assert nearest_bucket(3000, 2000, shapes)[0] > nearest_bucket(3000, 2000, shapes)[1]
    assert nearest_bucket(2000, 3000, shapes) == nearest_bucket(3000, 2000, shapes)[::-1]


PICTURES = st.lists(st.tuples(st.sampled_from([(64, 64), (48, 80), (80, 48)]), st.integers(0, 7)), max_size=12)


@given(PICTURES, st.integers(1, 9), st.integers(0, 2**31), st.integers(0, 5))
def test_every_picture_is_seen_as_often_as_it_says(pictures, batch, seed, epoch):
    shapes, repeats = [p[0] for p in pictures], [p[1] for p in pictures]
    batches = epoch_order(shapes, repeats, batch, seed, epoch)
    seen = Counter(i for rows in batches for i in rows)
    extra = dict.fromkeys(shapes, 0)
    for rows in batches:
        assert len(rows) == batch
        assert len({shapes[i] for i in rows}) == 1
    for i, times in enumerate(repeats):
        assert seen[i] >= times
        assert times or not seen[i]
        extra[shapes[i]] += seen[i] - times
    assert all(padding < batch for padding in extra.values())
    assert batches == epoch_order(shapes, repeats, batch, seed, epoch)


def test_epochs_and_seeds_differ():
    shapes, repeats = [(64, 64)] * 30, [1] * 30
    orders = {str(epoch_order(shapes, repeats, 4, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4
