"""open_clip as a source of networks: its own forward, its own preparation, and where weights come from."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from owf.core.errors import OFF, Setting, UsageError
from owf.core.metrics.images import openclip
from owf.core.metrics.images.features import Fetching, load_features
from owf.core.metrics.images.openclip import load_open_clip
from PIL import Image

OFFLINE = Fetching(offline=True)
TEXTS = ("a photo of a cat", "a red car", "blue")
TOWER = {"width": 16, "layers": 2}
TINY = {
    "embed_dim": 12,
    "vision_cfg": {**TOWER, "image_size": 32, "patch_size": 8, "head_width": 8},
    "text_cfg": {**TOWER, "context_length": 16, "vocab_size": 49408, "heads": 2},
}
SIGLIP = {
    **TINY,
    "custom_text": True,
    "init_logit_bias": -10,
    "text_cfg": {**TINY["text_cfg"], "no_causal_mask": True, "pool_type": "last", "proj_bias": True},
}
"""What makes a SigLIP besides its tokenizer, which lies at the hub."""


@pytest.fixture
def library(tmp_path, monkeypatch):
    found = pytest.importorskip("open_clip")
    from open_clip import factory

    monkeypatch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
    monkeypatch.setattr(factory, "_MODEL_CONFIG_PATHS", list(factory._MODEL_CONFIG_PATHS))
    return found


def saved(library, folder: Path, name: str, config: dict) -> Path:
    """Make open_clip know a model, and write weights for it as the hub has them."""
    from safetensors.torch import save_file

    (folder / f"{name}.json").write_text(json.dumps(config))
    library.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    model = library.create_model(name, load_weights=False)
    path = folder / "open_clip_model.safetensors"
    save_file({key: value.contiguous().clone() for key, value in model.state_dict().items()}, path)
    return path


def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, 40, 52), generator=torch.Generator().manual_seed(3)).to(torch.uint8)


def own(library, name: str, weights: Path, **prepared) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of pictures and texts as open_clip's readme computes them."""
    model, _, transform = library.create_model_and_transforms(name, pretrained=str(weights), **prepared)
    images = torch.stack([transform(Image.fromarray(picture.movedim(0, -1).numpy())) for picture in pictures()])
    with torch.no_grad():
        return model.eval().encode_image(images), model.encode_text(library.get_tokenizer(name)(list(TEXTS)))


def test_a_file_of_weights_gives_open_clips_own_features(library, tmp_path):
    weights = saved(library, tmp_path, "tiny-owf", TINY)
    found = load_open_clip(f"tiny-owf/{weights}", OFFLINE)
    images, texts = own(library, "tiny-owf", weights)
    np.testing.assert_allclose(load_features(f"open_clip:tiny-owf/{weights}", OFFLINE)(pictures()), images, atol=1e-5)
    np.testing.assert_allclose(found.texts(TEXTS), texts, atol=1e-5)


@pytest.fixture
def webli(library, tmp_path, monkeypatch) -> Path:
    """A tag of a SigLIP whose weights lie at the hub."""
    from open_clip import pretrained

    weights = saved(library, tmp_path, "tiny-siglip-owf", SIGLIP)
    tag = pretrained._slpcfg(hf_hub="somebody/tiny/")
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny-siglip-owf", {"webli": tag})
    # By its name open_clip takes a tokenizer that has to be fetched.
    cut = library.SimpleTokenizer(context_length=16)
    monkeypatch.setattr(library, "get_tokenizer", lambda name, **settings: cut)
    return weights


def test_a_tag_says_where_weights_are_and_how_pictures_are_prepared(library, webli, monkeypatch):
    asked = []
    monkeypatch.setattr(openclip, "hub_folder", lambda files, offline: asked.append(files) or webli.parent)
    found = load_open_clip("tiny-siglip-owf/webli", OFFLINE)
    half = (0.5, 0.5, 0.5)
    images, texts = own(library, "tiny-siglip-owf", webli, image_mean=half, image_std=half, image_resize_mode="squash")
    with torch.no_grad():
        np.testing.assert_allclose(found.images(found.prepare(pictures())), images, atol=1e-5)
    np.testing.assert_allclose(found.texts(TEXTS), texts, atol=1e-5)
    assert [(files.repository, list(files.files)) for files in asked] == [
        ("somebody/tiny", ["open_clip_model.safetensors"])
    ]


def test_the_activation_is_that_of_the_tag(library, webli, monkeypatch):
    from open_clip import pretrained

    monkeypatch.setattr(openclip, "hub_folder", lambda files, offline: webli.parent)
    plain = load_features("open_clip:tiny-siglip-owf/webli", OFFLINE)(pictures())
    monkeypatch.setitem(pretrained._PRETRAINED["tiny-siglip-owf"]["webli"], "quick_gelu", True)
    quick = load_features("open_clip:tiny-siglip-owf/webli", OFFLINE)(pictures())
    assert np.abs(plain - quick).max() > 1e-4


def test_offline_says_which_file_to_put_where(library, tmp_path, monkeypatch):
    import huggingface_hub

    def nothing(*args, **settings):
        raise FileNotFoundError("not cached")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", nothing)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        load_open_clip("ViT-B-32/laion2b_s34b_b79k", OFFLINE)
    said = str(caught.value)
    assert "open_clip_model.safetensors of laion/CLIP-ViT-B-32-laion2B-s34B-b79K is not in the cache" in said
    assert str(tmp_path / "hub" / "checkpoints" / "laion_CLIP-ViT-B-32-laion2B-s34B-b79K") in said
    assert caught.value.settings == (Setting("offline", OFF),)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ViT-B-33/openai", "open_clip has no model 'ViT-B-33'. It has ViT-B-32"),
        ("ViT-B-32/openay", "open_clip's ViT-B-32 has no tag 'openay'. It has openai"),
        ("ViT-B-32", "has no tag ''"),
        ("ViT-B-32//nowhere/x.pt", "/nowhere/x.pt is no file of safetensors"),
    ],
)
def test_what_open_clip_does_not_know_is_named_with_what_it_does(library, source, said):
    with pytest.raises(UsageError) as caught:
        load_open_clip(source, OFFLINE)
    assert said in str(caught.value)
    assert caught.value.settings == (Setting("open_clip"),)


def test_a_text_tower_of_transformers_is_made_from_a_folder_and_not_from_the_hub(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(openclip, "hub_folder", lambda files, offline: asked.append((files, offline)) or tmp_path)
    described = {"hf_model_name": "roberta-base", "hf_proj_type": "mlp"}
    library = SimpleNamespace(get_model_config=lambda model: {"text_cfg": described})
    assert openclip._text_tower(library, "roberta-ViT-B-32", True) == {
        "text_cfg": {"hf_model_name": str(tmp_path), "hf_model_pretrained": False, "hf_proj_type": "mlp"}
    }
    assert [(files.repository, dict(files.files), offline) for files, offline in asked] == [
        ("roberta-base", {"config.json": ""}, True)
    ]


def test_without_open_clip_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UsageError, match="need open_clip_torch") as caught:
        load_open_clip("ViT-B-32/openai", OFFLINE)
    assert caught.value.settings == (Setting("install", "'owf[metrics]'"),)
