"""Cosines known beforehand, and an embedding that is in place for as long as it is to be."""

import numpy as np
import pytest
import torch
from owf.core.experiments.lab.likeness import Seers, concept_likeness, mean_cosine, word_in_place
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.concept import Concept
from owf.core.progress import SILENT
from owf.core.train.methods.embedding import embedding_path
from owf.core.train.session import Training
from safetensors.torch import save_file
from small_training import BANK, small_plan, tiny_denoiser, two_pictures


def test_the_mean_cosine_is_over_all_pairs():
    found = mean_cosine(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0], [0.0, 1.0]]))
    assert found.value == pytest.approx(0.5) and found.n == 2
    assert mean_cosine(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]])).value == pytest.approx(0.5**0.5)


def test_drawn_pictures_are_compared_with_the_concept_and_the_words():
    def network(images):
        return np.array([[1.0, 0.0] if len(images) > 1 else [1.0, 1.0]] * len(images))

    asked = []

    def text(texts):
        asked.extend(texts)
        return np.array([[0.0, 1.0]])

    denoiser = tiny_denoiser()
    training = Training(denoiser, small_plan(), BANK, tuple(two_pictures()), (), ())
    seers = Seers({"concept_dino": network, "concept_clip_i": network}, text)
    found = concept_likeness(denoiser, training, seers, 3, Batching(4), SILENT)
    assert found["concept_dino"].value == pytest.approx(0.5**0.5) and found["concept_clip_t"].value == pytest.approx(0)
    assert asked == ["a photo of a bag"] and found["concept_dino"].n == 3


def test_the_embedding_of_a_trigger_is_in_place_and_then_gone(tmp_path):
    denoiser, concept = tiny_denoiser(), Concept("sks", "bag")
    token, lora = denoiser.token("sks"), tmp_path / "a.safetensors"
    before = token.embedding.weight.detach().clone()
    with word_in_place(denoiser, lora, concept):
        assert torch.equal(token.embedding.weight, before)  # there is none
    save_file({"emb_params": torch.full((1, before.shape[1]), 3.0)}, embedding_path(lora, "sks"))
    with word_in_place(denoiser, lora, concept):
        changed = (token.embedding.weight != before).any(1)
        assert changed.nonzero().flatten().tolist() == [token.number] and token.embedding.weight[token.number, 0] == 3
    assert torch.equal(token.embedding.weight, before)
