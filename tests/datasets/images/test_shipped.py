"""Labelled images that ship with a base."""

import numpy as np
import pytest
from owf.core import families
from owf.core.datasets.images.shipped import read_shipped
from owf.core.pictures import cover
from PIL import Image


@pytest.mark.parametrize("name", families.shipped())
def test_pictures_that_ship_are_read_at_any_side(name):
    side = families.get(name).resolution
    with np.load(families.shipped()[name].probes) as stored:
        pixels, labels = stored["images"], stored["labels"]
    whole, half = read_shipped(name, side, 0), read_shipped(name, side // 2, 3)
    assert whole is not None
    assert half is not None
    np.testing.assert_array_equal(whole.images, pixels.transpose(0, 3, 1, 2))  # nothing is resampled
    np.testing.assert_array_equal(whole.labels, labels)
    assert np.bincount(half.labels).tolist() == [3] * len(whole.classes)
    first = next(i for i, label in enumerate(labels) if label == half.labels[0])
    np.testing.assert_array_equal(half.images[0], cover(Image.fromarray(pixels[first]), side // 2, side // 2))


@pytest.mark.parametrize("name", ["generated", "folder", "sd15", ""])
def test_nothing_ships_under_other_names(name):
    assert read_shipped(name, 8, 1) is None
