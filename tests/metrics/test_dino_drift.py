"""The drift of DINOv2 embeddings against closed forms and against the network as its own library runs it."""

import dataclasses

import numpy as np
import pytest
import torch
from owf.core.errors import InvalidError
from owf.core.metrics.dino_drift import drifts, load_network, measure_dino_drift
from owf.core.metrics.evidence import Drawings
from owf.core.metrics.images import hub
from owf.core.metrics.images.features import Fetching
from owf.core.metrics.images.hub import HubFiles
from owf.core.metrics.metric import Tools
from owf.core.plan.presets import preset_plan
from progress_log import Heard


@pytest.mark.parametrize(("degrees", "drift"), [(0, 0.0), (60, 0.25), (90, 0.5), (180, 1.0)])
def test_drift_is_half_of_one_minus_the_cosine_at_any_length(degrees, drift):
    angle = np.radians(degrees)
    turned = 7 * np.array([[np.cos(angle), np.sin(angle)]])
    assert drifts(np.array([[2.0, 0.0]]), turned) == pytest.approx([drift], abs=1e-12)


def test_embeddings_that_say_nothing_are_invalid():
    for bad in (np.zeros((1, 2)), np.array([[np.nan, 1.0]])):
        with pytest.raises(InvalidError, match="zero, NaN or infinite"):
            drifts(np.ones((1, 2)), bad)


class FirstPixel:
    """Embeds a picture as the direction that the red of its first pixel says, in degrees."""

    name, digest = "first pixel", "d"

    def __call__(self, images):
        angle = np.radians(images[:, 0, 0, 0].numpy().astype(np.float64))
        return np.stack([np.cos(angle), np.sin(angle)], 1)


def test_the_measurement_is_the_mean_over_prompts_with_other_noise_as_its_floor():
    plan = preset_plan("quick")
    plan = dataclasses.replace(plan, prompts=plan.prompts[-4:], images_per_prompt=2)
    base = np.zeros((8, 3, 2, 2), np.uint8)
    tuned, other = base.copy(), np.full_like(base, 90)
    tuned[:4] = 60  # both pictures of the first two prompts turn by 60 degrees: drift 1/4
    looked = Heard()
    seen = measure_dino_drift(
        plan,
        Tools(torch.device("cpu"), {"dino_drift": FirstPixel()}, looked),
        Drawings(base, tuned, other),
    )
    drift = seen.estimates["dino_drift"]
    assert drift.value == pytest.approx(0.125)
    assert (drift.n, drift.low) == (4, 0.0)
    assert drift.high == pytest.approx(0.125 + 3.182446 * np.std([0.25, 0.25, 0, 0], ddof=1) / 2)
    assert drift.floor == pytest.approx(0.5)
    assert sum(looked.rows) == 24


def test_the_network_embeds_as_its_own_library_does(tmp_path, monkeypatch):
    import transformers
    from transformers import AutoModel, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=518, patch_size=14)
    Dinov2Model(config).save_pretrained(tmp_path)
    asked: list[HubFiles] = []
    monkeypatch.setattr(hub, "hub_folder", lambda files, offline: asked.append(files) or tmp_path)
    coarse = torch.rand(4, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(coarse, (300, 320), mode="bicubic").clamp(0, 1)
    images = (255 * smooth).to(torch.uint8)
    seen = load_network(preset_plan("quick"), Fetching(offline=True))(images)
    assert [(files.repository, len(files.revision)) for files in asked] == [("facebook/dinov2-base", 40)]
    # What was the only one, by Pillow, has that in its name where another one took its place.
    processor = getattr(transformers, "BitImageProcessorPil", transformers.BitImageProcessor)(
        size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224},
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    pictures = [image.permute(1, 2, 0).numpy() for image in images]
    inputs = processor(pictures, return_tensors="pt", input_data_format="channels_last")
    with torch.inference_mode():
        expected = AutoModel.from_pretrained(tmp_path).eval()(**inputs).last_hidden_state[:, 0]
    drift = (1 - torch.cosine_similarity(expected[:2].double(), expected[2:].double()).numpy()) / 2
    assert drifts(seen[:2], seen[2:]) == pytest.approx(drift, rel=1e-5)
