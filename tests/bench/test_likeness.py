"""The numbers of bench/preservation.py that no audit has."""

import math

import numpy as np
import pytest
from likeness import concept_similarity, diversity_ratio, similarities, spread_within


def test_spread_is_the_mean_distance_of_pairs():
    features = np.array([[[0.0, 0], [3, 4], [0, 0]]])  # distances 5, 0, 5
    assert spread_within(features) == pytest.approx([10 / 3])


def test_diversity_of_shrunk_features_is_the_factor():
    base = np.random.default_rng(0).normal(size=(6, 4, 8))
    ratio = diversity_ratio(base, 0.25 * base)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.25, 0.25, 0.25))


def test_similarity_is_the_cosine_whatever_the_length():
    references = np.array([[1.0, 0.0], [0.0, 2.0]])
    generated = np.array([[5.0, 0.0], [3.0, 3.0]])
    assert similarities(generated, references) == pytest.approx([0.5, math.sqrt(0.5)])
    assert concept_similarity(generated, references).value == pytest.approx((0.5 + math.sqrt(0.5)) / 2)
