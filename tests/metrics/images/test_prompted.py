"""What reads prompts: the demo base's answers, CLIP by transformers, and cosines to all prompts at once."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from owf.core.demo import DEMO_FEATURES
from owf.core.errors import UsageError
from owf.core.metrics.images import towers
from owf.core.metrics.images.demo_network import FeatureNetwork, load_network
from owf.core.metrics.images.features import Fetching
from owf.core.metrics.images.preparation import resize_crop
from owf.core.metrics.images.prompted import PromptCosines, directions, load_prompted, named
from owf.core.plan.audit_plan import Prompt
from owf.core.plan.presets import preset_plan

ANSWERS = {"label": 10, "color": 11, "background": 5}
OFFLINE = Fetching(offline=True)


def pictures(count: int, side: int = 40) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_features_become_cosines_to_every_text():
    texts = torch.tensor([[3.0, 0, 0], [0, 2.0, 0]])
    network = PromptCosines(torch.nn.Identity(), texts)
    found = network(torch.tensor([[5.0, 0, 0], [1, 1, 0]]))
    assert found.numpy() == pytest.approx(np.array([[1, 0], [0.5**0.5, 0.5**0.5]]))


def test_a_text_names_the_longest_words_and_a_background_is_no_colour():
    known = [("class", "shirt"), ("class", "t-shirt"), ("colour", "white"), ("colour", "red"), ("background", "white")]
    assert named("a photo of a red t-shirt on a white background", known) == [
        ("background", "white"),
        ("class", "t-shirt"),
        ("colour", "red"),
    ]
    assert named("a photo of a white shirt", known) == [("class", "shirt"), ("colour", "white")]
    assert named("a shirtless bird", known) == []


def test_a_direction_is_what_the_named_answers_weigh_against_all_others():
    torch.manual_seed(0)
    network: Any = FeatureNetwork(ANSWERS)
    found = directions(network, "demo", ["a photo of a red bag", "a photo of a bag on a teal background"])
    centred = {head: layer.weight - layer.weight.mean(0) for head, layer in network.heads.items()}
    expected = [centred["label"][8] + centred["color"][3], centred["label"][8] + centred["background"][4]]
    torch.testing.assert_close(found, torch.stack(expected))


def test_a_network_with_other_answers_and_a_prompt_of_another_world_are_refused():
    with pytest.raises(UsageError, match="7 answers about its label, and its vocabulary 10"):
        directions(FeatureNetwork({**ANSWERS, "label": 7}), "demo", ["a photo of a bag"])
    with pytest.raises(UsageError, match="'a photo of a horse'"):
        directions(FeatureNetwork(ANSWERS), "demo", ["a photo of a bag", "a photo of a horse"])


def test_the_demo_base_is_seen_by_its_own_network():
    plan = preset_plan("quick", "demo")
    found = load_prompted(plan, OFFLINE)(pictures(3, 96))
    assert found.shape == (3, len(plan.prompts))
    network = load_network(DEMO_FEATURES)
    texts = directions(network, "demo", [prompt.text for prompt in plan.prompts])
    seen = network(resize_crop(pictures(3, 96), 96, 96) / 255)
    expected = torch.nn.functional.cosine_similarity(seen[:, None], texts[None], dim=-1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture
def clip(tmp_path) -> Path:
    """A tiny CLIP with both towers and a tokenizer of a few words."""
    from transformers import CLIPConfig, CLIPModel

    words = ["<|startoftext|>", "<|endoftext|>", *"abcdeght", *(f"{c}</w>" for c in "abcdeght"), "ca", "cat</w>"]
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {**tower, "image_size": 32, "patch_size": 8}
    text = {**tower, "vocab_size": len(words), "max_position_embeddings": 16, "bos_token_id": 0, "eos_token_id": 1}
    torch.manual_seed(1)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(tmp_path)
    return tmp_path


def test_clip_t_is_what_the_model_itself_says(clip, monkeypatch):
    from transformers import CLIPModel, CLIPTokenizer

    monkeypatch.setattr(towers, "hub_folder", lambda files, offline: clip)
    texts = ["cat", "a bad cat", "ghd ghd ghd"]
    # The tags of quality before a prompt are none of what is to be seen.
    prompts = tuple(Prompt(f"best, {text}", "animals") for text in texts)
    plan = dataclasses.replace(preset_plan("quick"), prompts=prompts, prefix="best")
    batch = pictures(4)
    found = load_prompted(plan, OFFLINE)(batch)
    model, tokenizer = CLIPModel.from_pretrained(clip).eval(), CLIPTokenizer.from_pretrained(clip)
    with torch.no_grad():
        pixels = towers.clip_preparation(32)(batch)
        seen = model(pixel_values=pixels, **tokenizer(texts, padding=True, return_tensors="pt"))
        expected = seen.logits_per_image / model.logit_scale.exp()
    np.testing.assert_allclose(found, expected, atol=1e-5)
