"""Compares a tiny SDXL as a Denoiser with its network asked directly, by the definition of its kind."""

import torch
from comfy_sdxl import build
from prelude import GIVEN, answer, pack, start

start()
model, clip, vae, network = build(GIVEN["kind"])
is_flow = GIVEN["kind"] == "FLOW"
backend = pack("nodes.backend.model.denoiser")
gaussian = pack("core.model.diffusion.noise").gaussian


def far(p, q):
    return float((p - q).abs().max() / q.abs().max())


with torch.inference_mode():
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae, 64)
    cond = ours.encode_text(["a cat", "a red dog"])
    x0, eps = (torch.stack([gaussian((4, 8, 8), seed, str(i)) for i in range(2)]) for seed in (0, 1))
    t = torch.tensor([100, 900])
    x_t = ours.schedule.noise(x0, eps, t)
    predicted = ours.predict(x_t, t, cond)
    sigma = model.get_model_object("model_sampling").sigmas[t]
    pooled = network.encode_adm(pooled_output=cond.pooled, width=64, height=64, device="cpu")
    time = sigma * 1000 if is_flow else t.float()
    direct = network.diffusion_model(x_t, time, context=cond.context, y=pooled)
    wide = torch.stack([gaussian((4, 6, 12), 2, str(i)) for i in range(2)])
    told = network.encode_adm(pooled_output=cond.pooled, width=96, height=48, device="cpu")
    bucket = network.diffusion_model(wide, time, context=cond.context, y=told)
    one = torch.cat([ours.predict(x_t[i : i + 1], t[i : i + 1], cond.rows([i])) for i in range(2)])
    patched = model.clone()
    patched.set_model_attn1_output_patch(lambda out, extra: out * -20)
    ours.use(backend.Pair(patched, clip))
    changed = ours.predict(x_t, t, cond)
    ours.use(ours.base)
    target = ours.schedule.target(x0, eps, t)
    x0_again, _ = ours.schedule.split(x_t, target, t)
    answer(
        kind=ours.schedule.prediction_type,
        family=ours.family,
        direct=far(predicted, direct),
        bucket=far(ours.predict(wide, t, cond), bucket),
        one=far(one, predicted),
        changed=far(changed, predicted),
        back=far(ours.predict(x_t, t, cond), predicted),
        split=far(x0_again, x0),
        pooled=list(cond.pooled.shape),
        context=list(cond.context.shape),
        sizes=[name for name, _ in ours.components["unet"].named_modules() if name.endswith("embedding.linear_1")],
    )
