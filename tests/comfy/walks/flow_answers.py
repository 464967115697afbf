"""Asks a tiny flow model of ComfyUI's and the one that `owf-audit` loads the same; returns how far they are apart."""

import torch
from comfy_flow import built
from prelude import GIVEN, answer, pack, start

start()
backend, base = pack("nodes.backend.model.denoiser"), pack("core.model.base")
gaussian, sample = pack("core.model.diffusion.noise").gaussian, pack("core.model.diffusion.sample")
Batching = pack("core.model.diffusion.batch").Batching
SIDE = 64
# Of several lengths, and with what has a meaning in ComfyUI's prompts.
PROMPTS = ["a cat", "a (red:1.3) dog on a very green meadow, seen from above, in the style of a woodcut", "a bag"]


def far(p, q):
    return float((p.float() - q.float()).abs().max() / q.float().abs().max())


def cut(cond, row):
    """Return the hidden states of a prompt without what fills it up."""
    return cond.context[row] if cond.mask is None else cond.context[row][cond.mask[row].bool()]


with torch.inference_mode():
    model, clip, vae = built()
    shipped = backend.ComfyDenoiser(backend.Pair(model, clip), vae, SIDE).encode_text(PROMPTS)
    if GIVEN["family"] in ("flux", "schnell"):  # ComfyUI fills T5's prompts up to 256 tokens unless told
        clip = clip.clone()
        clip.set_tokenizer_option("t5xxl_min_length", 512)
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae, SIDE)
    theirs = base.load_base(
        base.BaseChoice(GIVEN["folder"], "folder"), torch.device("cpu"), torch.float32, offline=True
    )
    mine, cond = ours.encode_text(PROMPTS), theirs.encode_text(PROMPTS)
    x = torch.stack([gaussian(ours.latent_shape, 0, str(i)) for i in range(3)])
    t = torch.tensor([ours.schedule.steps * share // 100 for share in (3, 50, 98)])
    expected = theirs.predict(x, t, cond)
    images = (x[:, :3].sigmoid() * 255).to(torch.uint8).repeat_interleave(SIDE // x.shape[-1], 2)
    images = images.repeat_interleave(SIDE // x.shape[-1], 3)
    # What guidance makes of Qwen-Image's predictions, and what it leads away from, are others in diffusers' pipeline.
    guidance = 1.0 if GIVEN["family"] == "qwen_image" else 2.0
    # Of no words at all ComfyUI gives Anima a state of the token that fills up, and diffusers zeros.
    negative = "a dog" if GIVEN["family"] == "anima" else ""
    sampling = sample.Sampling(steps=4, guidance_scale=guidance, negative=negative)
    drawn = [sample.generate(d, PROMPTS[:2], [0, 0], sampling, Batching(4))[1] for d in (ours, theirs)]
    answer(
        shape=list(ours.latent_shape) == list(theirs.latent_shape),
        family=[ours.family, theirs.family],
        lengths=[len(cut(mine, row)) for row in range(3)],
        asked=[len(cut(cond, row)) for row in range(3)],
        shipped=[len(cut(shipped, row)) for row in range(3)],
        schedule=float((ours.schedule.sigma - theirs.schedule.sigma).abs().max()),
        growth=[ours.schedule.shift_growth, theirs.schedule.shift_growth],
        text=max(far(cut(mine, row), cut(cond, row)) for row in range(3)),
        pooled=None if cond.pooled is None else far(mine.pooled, cond.pooled),
        predicted=far(ours.predict(x, t, mine), expected),
        plain=far(ours.predict(x, t, cond), expected),
        one=max(far(ours.predict(x[i : i + 1], t[i : i + 1], mine.rows([i])), expected[i : i + 1]) for i in range(3)),
        encoded=far(ours.encode_image(images), theirs.encode_image(images)),
        decoded=int((ours.decode(x).int() - theirs.decode(x).int()).abs().max()),
        drawn=far(*drawn),
        digest=ours.digest() == backend.ComfyDenoiser(backend.Pair(model, clip), vae, SIDE).digest(),
    )
