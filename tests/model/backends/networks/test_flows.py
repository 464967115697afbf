"""Flows against diffusers' own pipelines of them: what is asked, what is drawn, how it is read."""

import contextlib

import numpy as np
import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.backends.networks.flux import GUIDANCE
from owf.core.model.base import choose_base, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.denoiser import asked_at
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from tiny_flows import PARTS, SIDE, flux_parts, found, given, pipeline_of, save_folder

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own

CPU = torch.device("cpu")
PROMPTS = ["a photo of a bag", "two red coats, " * 60]
SHAPES = {
    "flux": (4, 8, 8),
    "z_image": (4, 8, 8),
    "flux2_klein": (16, 4, 4),
    "krea2": (4, 8, 8),
    "qwen_image": (4, 8, 8),
    "anima": (4, 8, 8),
}
PIXELS = {family: SIDE // shape[-1] for family, shape in SHAPES.items()}
WIDE = (0.5, 2.0)
"""Height and width of other pictures over those of the square ones: as many tokens, so as much shift."""


@pytest.fixture(scope="module", params=PARTS)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def parts(family):
    return PARTS[family]()


@pytest.fixture(scope="module")
def denoiser(family, parts):
    return DiffusersDenoiser(parts, "tiny", family)


def _wide(shape, is_wide):
    channels, height, width = shape
    return (channels, int(height * WIDE[0]), int(width * WIDE[1])) if is_wide else shape


@contextlib.contextmanager
def _recorded(transformer):
    """Yield a list of what a transformer was called with and gave: (arguments, keyword arguments, output)."""
    calls, plain = [], transformer.forward

    def forward(*args, **kwargs):
        output = plain(*args, **kwargs)
        calls.append((args, kwargs, output[0]))
        return output

    transformer.forward = forward
    try:
        yield calls
    finally:
        transformer.forward = plain


def _drawn(family, parts, noise, steps, output="np", **settings):
    """Return what diffusers' pipeline draws from noise (1, C, h, w)."""
    size = {"height": noise.shape[-2] * PIXELS[family], "width": noise.shape[-1] * PIXELS[family]}
    return pipeline_of(family, parts)(
        prompt=PROMPTS[0],
        latents=given(family, noise),
        num_inference_steps=steps,
        output_type=output,
        **size,
        **settings,
    ).images


NO_GUIDANCE = {
    "flux": {},
    "z_image": {"guidance_scale": 0.0},
    "flux2_klein": {"guidance_scale": 1.0},
    "krea2": {"guidance_scale": 0.0},
    "qwen_image": {"true_cfg_scale": 1.0},
    "anima": {"guidance_scale": 1.0},
}


def test_sizes_are_those_of_the_architecture(family, denoiser):
    assert (denoiser.latent_shape, denoiser.resolution) == (SHAPES[family], SIDE)
    assert next(iter(denoiser.components)) == "transformer"
    assert denoiser.schedule.prediction_type == "flow"
    assert denoiser.dtype == torch.float32


def test_prompts_are_encoded_as_by_the_pipeline(family, parts, denoiser):
    pipeline, cond = pipeline_of(family, parts), denoiser.encode_text(PROMPTS)
    if family == "flux":
        context, pooled, _ = pipeline.encode_prompt(PROMPTS, device=CPU)
        torch.testing.assert_close(cond.pooled, pooled, atol=1e-5, rtol=1e-5)
    elif family == "z_image":
        context, _ = pipeline.encode_prompt(list(PROMPTS), device=CPU, do_classifier_free_guidance=False)
        assert [int(count) for count in cond.mask.sum(1)] == [len(row) for row in context]
        for row, mask, expected in zip(cond.context, cond.mask, context, strict=True):
            torch.testing.assert_close(row[mask], expected, atol=1e-5, rtol=1e-5)
        return
    elif family == "krea2":
        context, mask = pipeline.encode_prompt(PROMPTS, device=CPU)
        # Filled up to 512 there, between the prompt and what the template puts after it.
        for row, own, expected, theirs in zip(cond.context, cond.mask, context, mask, strict=True):
            torch.testing.assert_close(row[own], expected[theirs].flatten(1), atol=1e-5, rtol=1e-5)
        return
    elif family == "qwen_image":
        context, mask = pipeline.encode_prompt(PROMPTS, device=CPU, max_sequence_length=512)
        assert torch.equal(cond.mask, mask.bool())
        for row, own, expected in zip(cond.context, cond.mask, context, strict=True):
            torch.testing.assert_close(row[own], expected[own], atol=1e-5, rtol=1e-5)
        return
    elif family == "anima":
        context = torch.cat([pipeline.context(prompt) for prompt in PROMPTS])
    else:
        context, _ = pipeline.encode_prompt(PROMPTS, device=CPU)
    torch.testing.assert_close(cond.context, context, atol=1e-5, rtol=1e-5)
    assert not torch.equal(context[0], context[1])


def test_rows_keep_what_belongs_to_them(denoiser):
    cond = denoiser.encode_guided(PROMPTS, ["", "blurry"])
    rows = cond.rows([3, 0])
    for name in ("context", "pooled", "mask"):
        whole, part = getattr(cond, name), getattr(rows, name)
        assert (whole is None) == (part is None)
        assert whole is None or torch.equal(part, whole[[3, 0]])


@pytest.mark.parametrize("is_wide", [False, True])
def test_predictions_are_those_of_the_pipelines_calls(family, parts, denoiser, is_wide):
    """The transformer is asked by us as it is by the pipeline, at every step of a picture."""
    steps, shape = 4, _wide(SHAPES[family], is_wide)
    noise = gaussian(shape, 0, "x")[None]
    with _recorded(parts.transformer) as calls:
        _drawn(family, parts, noise, steps, **NO_GUIDANCE[family])
    assert len(calls) == steps
    cond, x = denoiser.encode_text(PROMPTS[:1]), noise
    times = denoiser.schedule.drawn_timesteps(steps)
    prediction, t = torch.zeros_like(x), 0
    for (_, _, output), t, after in zip(calls, times, [*times[1:], None], strict=True):
        expected = found(family, output, x.shape)
        prediction = denoiser.predict(x, torch.tensor([t]), cond)
        # Where times depend on the steps, ours are the nearest of 10,000, up to 0.06 of 1,000 away.
        close = 1e-2 if denoiser.schedule.shift_growth or denoiser.schedule.terminal else 1e-4
        torch.testing.assert_close(prediction, expected, atol=close, rtol=close)
        sigma, end = float(denoiser.schedule.sigma[t]), 0.0 if after is None else float(denoiser.schedule.sigma[after])
        x = x + (end - sigma) * expected  # as the pipeline goes on from its own prediction
    assert not torch.equal(denoiser.predict(x, torch.tensor([t]), denoiser.encode_text(["a coat"])), prediction)


@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("steps", [4, 10])
def test_pictures_are_those_of_diffusers_pipeline(family, parts, steps, is_wide):
    denoiser = DiffusersDenoiser(parts, "tiny", family)
    denoiser.latent_shape = _wide(SHAPES[family], is_wide)
    images, _ = generate(denoiser, PROMPTS[:1], [7], Sampling(steps, 1.0), Batching(4))
    noise = gaussian(denoiser.latent_shape, 7, f"sample|{PROMPTS[0]}")[None]
    expected = _drawn(family, parts, noise, steps, **NO_GUIDANCE[family])
    assert images.shape[-2:] == expected.shape[1:3]
    difference = images.permute(0, 2, 3, 1).numpy() - expected * 255
    assert np.abs(difference).max() <= 1


def test_pictures_of_another_size_are_those_of_diffusers_pipeline(family, parts):
    """Where times depend on the size, they are those of the size that is asked; the base stays the same."""
    denoiser, half = DiffusersDenoiser(parts, "tiny", family), SIDE // 2
    digest, own = denoiser.digest(), denoiser.latent_shape
    with asked_at(denoiser, half):
        images, _ = generate(denoiser, PROMPTS[:1], [7], Sampling(4, 1.0), Batching(4))
        noise = gaussian(denoiser.latent_shape, 7, f"sample|{PROMPTS[0]}")[None]
        assert (denoiser.resolution, denoiser.latent_shape) == (half, (own[0], own[1] // 2, own[2] // 2))
        assert DiffusersDenoiser(parts, "tiny", family).digest() == denoiser.digest() == digest
    assert (denoiser.resolution, denoiser.latent_shape) == (denoiser.made_for, own)
    assert images.shape[-2:] == (half, half)
    difference = images.permute(0, 2, 3, 1).numpy() - _drawn(family, parts, noise, 4, **NO_GUIDANCE[family]) * 255
    assert np.abs(difference).max() <= 1


def test_guided_pictures_are_those_of_diffusers_pipeline(family, parts, denoiser):
    guided = {
        "flux": {"true_cfg_scale": 3.0, "negative_prompt": ""},
        "z_image": {"guidance_scale": 2.0},  # added to the prediction with the prompt: 3 as everybody else counts
        "flux2_klein": {"guidance_scale": 3.0},
        "krea2": {"guidance_scale": 2.0},  # as with Z-Image
        "qwen_image": {"true_cfg_scale": 3.0, "negative_prompt": " "},  # for no negative prompt, a space
        "anima": {"guidance_scale": 3.0},
    }[family]
    images, _ = generate(denoiser, PROMPTS[:1], [7], Sampling(4, 3.0), Batching(4))
    noise = gaussian(SHAPES[family], 7, f"sample|{PROMPTS[0]}")[None]
    difference = images.permute(0, 2, 3, 1).numpy() - _drawn(family, parts, noise, 4, **guided) * 255
    assert np.abs(difference).max() <= 1


def test_pictures_go_through_the_vae_as_in_the_pipeline(family, parts, denoiser):
    """What is encoded and decoded again is what the autoencoder gives, whatever lies between its latents and ours."""
    images = (torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 255).to(torch.uint8)
    latents = denoiser.encode_image(images)
    assert latents.shape == (2, *SHAPES[family])
    pixels = images.float() / 127.5 - 1
    codes_videos = family in ("krea2", "qwen_image", "anima")
    mean = parts.vae.encode(pixels.unsqueeze(2) if codes_videos else pixels).latent_dist.mean
    seen = parts.vae.decode(mean).sample
    expected = (((seen.squeeze(2) if codes_videos else seen) + 1) * 127.5).round().clamp(0, 255)
    assert (denoiser.decode(latents).float() - expected).abs().max() <= 1


def test_several_rows_are_as_one_by_one(denoiser):
    cond = denoiser.encode_text(PROMPTS)
    x = torch.stack([gaussian(denoiser.latent_shape, 0, name) for name in "ab"])
    t = torch.tensor([10, denoiser.schedule.steps - 1])
    together = denoiser.predict(x, t, cond)
    for i in range(2):
        torch.testing.assert_close(
            denoiser.predict(x[i : i + 1], t[i : i + 1], cond.rows([i])), together[i : i + 1], atol=1e-4, rtol=1e-4
        )


def test_a_folder_loads_as_it_was_saved(family, parts, denoiser, tmp_path):
    folder = save_folder(family, parts, tmp_path / "base")
    loaded = load_base(choose_base(str(folder), None), CPU, torch.float32, offline=True)
    assert loaded.digest() == denoiser.digest()
    assert (loaded.resolution, loaded.latent_shape, loaded.family) == (SIDE, SHAPES[family], family)
    assert loaded.schedule.sigma.tolist() == denoiser.schedule.sigma.tolist()
    assert loaded.host == denoiser.host


def test_words_are_not_trained(denoiser):
    with pytest.raises(UsageError, match="cannot be trained as a word"):
        denoiser.token("sks")


def test_guidance_is_told_and_reported():
    told, not_told = (DiffusersDenoiser(flux_parts(guidance=told), "tiny", "flux") for told in (True, False))
    assert told.host == {"guidance told to the network": "3.5"} and GUIDANCE == 3.5
    assert not_told.host == {}


def test_a_scheduler_without_dynamic_shift_has_its_own():
    plain, dynamic = (DiffusersDenoiser(flux_parts(dynamic=on), "tiny", "flux").schedule for on in (False, True))
    half = plain.steps // 2 - 1
    assert float(plain.sigma[half]) == pytest.approx(3 * 0.5 / (1 + 2 * 0.5))
    assert float(dynamic.sigma[half]) != float(plain.sigma[half])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: setattr(parts.transformer, "out_channels", 12), "gives 12"),
        (lambda parts: parts.vae.register_to_config(sample_size=60), "sample_size is 60"),
        (lambda parts: parts.vae.register_to_config(shift_factor="x"), "shift_factor"),
        (lambda parts: parts.transformer.register_to_config(joint_attention_dim=64), "different models"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, words):
    from owf.core.model.backends.networks.flux import Flux

    parts = flux_parts()
    Flux.require_fit(parts, "base")
    change(parts)
    with pytest.raises(UsageError, match=words):
        Flux.require_fit(parts, "base")


@pytest.mark.parametrize("family", ["z_image", "flux2_klein", "krea2", "qwen_image"])
def test_a_template_of_the_folder_is_not_run(family):
    """It is code of whoever made the folder; what it should give is known."""
    parts = PARTS[family]()
    expected = DiffusersDenoiser(parts, "tiny", family).encode_text(PROMPTS[:1]).context
    parts.tokenizer.chat_template = "{{ 1 / 0 }}"
    assert torch.equal(DiffusersDenoiser(parts, "tiny", family).encode_text(PROMPTS[:1]).context, expected)


def test_a_tokenizer_of_another_model_is_refused():
    from owf.core.model.backends.networks.network import require_chat

    parts = flux_parts()
    with pytest.raises(UsageError, match="im_start"):
        require_chat(parts.tokenizer, "base")
