"""What Qwen-Image alone has: guidance that keeps lengths, a space for no negative prompt, relatives."""

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.backends.files.folder import load_folder
from owf.core.model.backends.networks.patches import packed
from owf.core.model.backends.networks.qwen_image import QwenImage
from tiny_flows import qwen_image_parts, save_folder

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own


@pytest.fixture(scope="module")
def denoiser():
    return DiffusersDenoiser(qwen_image_parts(), "tiny", "qwen_image")


def test_no_negative_prompt_is_a_space(denoiser):
    none, space, other = (denoiser.encode_guided(["a bag"], [text]) for text in ("", " ", "x"))
    assert torch.equal(none.context, space.context)
    assert not torch.equal(none.context, other.context)


def test_guidance_keeps_the_length_of_each_token(denoiser):
    generator = torch.Generator().manual_seed(0)
    told, untold = (torch.randn(2, 4, 4, 6, generator=generator) for _ in range(2))
    found = denoiser.guided(told, untold, 4.0)
    torch.testing.assert_close(packed(found).norm(dim=-1), packed(told).norm(dim=-1))
    straight = untold + 4.0 * (told - untold)
    same = torch.nn.functional.cosine_similarity(packed(found), packed(straight), dim=-1)
    torch.testing.assert_close(same, torch.ones_like(same))
    torch.testing.assert_close(denoiser.guided(told, untold, 1.0), told)


def test_the_report_says_how_it_is_guided(denoiser):
    assert list(denoiser.host) == ["guided prediction"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: parts.transformer.register_to_config(zero_cond_t=True), "edits pictures"),
        (lambda parts: parts.transformer.register_to_config(use_additional_t_cond=True), "layers"),
        (lambda parts: parts.transformer.register_to_config(guidance_embeds=True), "told guidance"),
        (lambda parts: parts.transformer.register_to_config(in_channels=20), "takes 20 channels"),
        (lambda parts: parts.transformer.register_to_config(joint_attention_dim=64), "different models"),
    ],
)
def test_transformers_that_are_asked_for_something_else_are_refused(change, words):
    parts = qwen_image_parts()
    QwenImage.require_fit(parts, "base")
    change(parts)
    with pytest.raises(UsageError, match=words):
        QwenImage.require_fit(parts, "base")


@pytest.mark.parametrize(
    ("name", "words"), [("QwenImageEditPlusPipeline", "edits pictures"), ("QwenImageLayeredPipeline", "layers")]
)
def test_pipelines_of_relatives_are_refused_by_name(name, words, tmp_path):
    folder = save_folder("qwen_image", qwen_image_parts(), tmp_path / "base")
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("QwenImagePipeline", name))
    with pytest.raises(UsageError, match=words):
        load_folder(folder, torch.float32)


def test_settings_within_settings_are_checked_too(tmp_path):
    """What reads has settings of its own in a model that sees: a number there would take all memory as well."""
    folder = save_folder("qwen_image", qwen_image_parts(), tmp_path / "base")
    config = folder / "text_encoder" / "config.json"
    for whole, huge in (('"num_hidden_layers": 3', '"num_hidden_layers": 300'), ('"depth": 1', '"depth": 1000')):
        changed = config.read_text().replace(whole, huge)
        assert changed != config.read_text()
        kept = config.read_text()
        config.write_text(changed)
        with pytest.raises(UsageError, match="no model of this kind has more"):
            load_folder(folder, torch.float32)
        config.write_text(kept)
