"""What Krea 2 alone has: the shift of its distilled base, layers of a Qwen3-VL, norms in float32, a VAE of videos."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.backends.networks.krea2 import Krea2
from owf.core.model.backends.offload import tile_vae
from owf.core.model.base import choose_base, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.denoiser import Conditioning, joined
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from tiny_flows import given, krea2_parts, pipeline_of, save_folder
from tiny_qwen import qwen_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own

CPU = torch.device("cpu")
PROMPT = "a photo of a bag"


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 4, 12), (4, 10, 6)])
def test_the_distilled_base_draws_at_times_of_its_own_at_every_size(shape):
    """Of 1.15 the logarithm, whatever the size; other bases shift by the tokens of a picture."""
    parts = krea2_parts(distilled=True)
    denoiser = DiffusersDenoiser(parts, "tiny", "krea2")
    half = denoiser.schedule.steps // 2 - 1
    assert float(denoiser.schedule.sigma[half]) == pytest.approx(
        math.exp(1.15) * 0.5 / (1 + (math.exp(1.15) - 1) * 0.5)
    )
    denoiser.latent_shape = shape
    images, _ = generate(denoiser, [PROMPT], [7], Sampling(8, 1.0), Batching(4))
    noise = gaussian(shape, 7, f"sample|{PROMPT}")[None]
    expected = pipeline_of("krea2", parts)(
        prompt=PROMPT,
        latents=given("krea2", noise),
        num_inference_steps=8,
        guidance_scale=0.0,
        height=shape[1] * 8,
        width=shape[2] * 8,
        output_type="np",
    ).images
    assert np.abs(images.permute(0, 2, 3, 1).numpy() - expected * 255).max() <= 1


def test_what_tells_the_bases_apart_is_in_their_digest():
    digests = {
        DiffusersDenoiser(krea2_parts(distilled=distilled), "tiny", "krea2").digest() for distilled in (True, False)
    }
    parts = krea2_parts()
    parts.index["text_encoder_select_layers"] = list(range(12))
    digests.add(DiffusersDenoiser(parts, "tiny", "krea2").digest())
    parts = krea2_parts()
    parts.vae.register_to_config(latents_mean=[0.0] * 4)
    digests.add(DiffusersDenoiser(parts, "tiny", "krea2").digest())
    assert len(digests) == 4


def test_in_16_bits_norms_and_the_angles_of_places_stay_in_float32(tmp_path):
    """As diffusers and transformers load them: 1 is added to a norm's weight, and angles grow with places."""
    parts = krea2_parts()
    folder = save_folder("krea2", parts, tmp_path / "base")
    loaded = load_base(choose_base(str(folder), None), CPU, torch.bfloat16, offline=True)
    assert loaded.dtype == torch.bfloat16
    transformer: Any = loaded.components["transformer"]
    encoder: Any = loaded.components["text_encoder"]
    from diffusers import Krea2Transformer2DModel

    theirs = Krea2Transformer2DModel.from_pretrained(folder / "transformer", torch_dtype=torch.bfloat16)
    for name, weight in theirs.state_dict().items():
        found = transformer.state_dict()[name]
        assert found.dtype == weight.dtype and torch.equal(found, weight), name
    angles = encoder.language_model.rotary_emb.inv_freq
    assert torch.equal(angles, parts.text_encoder.language_model.rotary_emb.inv_freq)
    assert encoder.language_model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16


def test_a_text_encoder_that_could_write_is_read_without_the_layer_that_does(tmp_path):
    from transformers import Qwen3VLForConditionalGeneration

    parts = krea2_parts()
    states = parts.text_encoder.state_dict()
    parts.text_encoder = Qwen3VLForConditionalGeneration(parts.text_encoder.config)
    parts.text_encoder.model.load_state_dict(states)
    folder = save_folder("krea2", parts, tmp_path / "base")
    loaded = load_base(choose_base(str(folder), None), CPU, torch.float32, offline=True)
    found = loaded.components["text_encoder"].state_dict()
    assert found.keys() == states.keys() and all(torch.equal(found[name], value) for name, value in states.items())


def test_a_size_that_no_settings_say_is_that_of_the_architecture():
    parts = krea2_parts()
    parts.vae.register_to_config(sample_size=None)
    parts.scheduler.register_to_config(base_image_seq_len=256, max_image_seq_len=6400)
    denoiser = DiffusersDenoiser(parts, "tiny", "krea2")
    assert (denoiser.resolution, denoiser.latent_shape) == (1024, (4, 128, 128))


def test_large_pictures_go_through_the_vae_in_tiles():
    vae = krea2_parts().vae
    tile_vae(vae, 32)
    seen = vae.decode(torch.zeros(1, 4, 1, 8, 8)).sample
    assert vae.use_tiling and seen.shape == (1, 3, 1, 64, 64)
    assert (vae.tile_sample_min_height, vae.tile_sample_stride_width) == (32, 24)


def test_prompts_of_other_lengths_are_joined_and_what_fills_them_up_counts_for_nothing():
    denoiser = DiffusersDenoiser(krea2_parts(), "tiny", "krea2")
    short, long = (denoiser.encode_text([prompt]) for prompt in ("a bag", PROMPT * 3))
    both = joined([short, long])
    assert both.context.shape[1] == long.context.shape[1] > short.context.shape[1]
    assert both.mask is not None and both.mask.sum(1).tolist() == [short.context.shape[1], long.context.shape[1]]
    x, t = gaussian((2, 4, 8, 8), 0, "x"), torch.tensor([300, 300])
    torch.testing.assert_close(
        denoiser.predict(x, t, both)[:1], denoiser.predict(x[:1], t[:1], short), atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(both.mean()[:1], short.context.mean(1))


def test_prompts_without_what_fills_them_up_are_filled_up_where_they_are_joined():
    """As a host gives each that it reads alone; of one length they need no mask."""
    short, long = Conditioning(torch.ones(1, 2, 3)), Conditioning(torch.ones(1, 4, 3))
    both = joined([short, long])
    assert both.mask is not None and both.mask.tolist() == [[True, True, False, False], [True] * 4]
    assert both.context[0].sum() == 6 and joined([long, long]).mask is None


def test_the_mean_of_hidden_states_is_of_those_of_the_prompt():
    context = torch.tensor([[[2.0], [4.0], [9.0]]])
    assert Conditioning(context).mean().tolist() == [[5.0]]
    assert Conditioning(context, mask=torch.tensor([[True, True, False]])).mean().tolist() == [[3.0]]


def _of_other_words(count):
    """Return a tokenizer of as many tokens, none of which is a word of the template."""
    tokenizer = qwen_tokenizer()
    tokenizer.add_tokens([f"zz{number}zz" for number in range(count - len(tokenizer))])
    return tokenizer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: setattr(parts.transformer, "out_channels", 12), "gives 12"),
        (lambda parts: parts.transformer.register_to_config(in_channels=32), "takes 32 channels"),
        (lambda parts: parts.transformer.register_to_config(text_hidden_dim=64), "different models"),
        (lambda parts: parts.vae.register_to_config(sample_size=60), "sample_size is 60"),
        (lambda parts: parts.vae.register_to_config(latents_std=[1.0, 1.0, 0.0, 1.0]), "latents_std"),
        (lambda parts: parts.vae.register_to_config(latents_mean=[float("nan")] * 4), "latents_mean"),
        (lambda parts: parts.vae.register_to_config(latents_mean=[0.0] * 3), "latents_mean"),
        (lambda parts: parts.vae.register_to_config(input_channels=4), "4 colour channels"),
        (lambda parts: parts.index.update(patch_size=1), "side of 1"),
        (lambda parts: parts.index.update(is_distilled="false"), "neither true nor false"),
        (lambda parts: parts.index.update(text_encoder_select_layers=[1, 2]), "takes 12"),
        (lambda parts: parts.index.update(text_encoder_select_layers=[40] * 12), "it has 36"),
        (lambda parts: parts.index.update(text_encoder_select_layers="all"), "not a list"),
        (lambda parts: setattr(parts, "tokenizer", _of_other_words(len(parts.tokenizer))), "of a Qwen into 34 and 5"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, words):
    parts = krea2_parts()
    Krea2.require_fit(parts, "base")
    change(parts)
    with pytest.raises(UsageError, match=words):
        Krea2.require_fit(parts, "base")
