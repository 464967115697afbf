"""Compares the demo base as ComfyUI's MODEL with itself as diffusers loads it."""

import torch
from prelude import answer, pack, start

start()
load_base, load_demo = pack("core.model.base").load_base, pack("nodes.backend.demo").load_demo
choice = pack("core.model.base").BaseChoice(str(pack("core.demo").DEMO_BASE), "folder")
backend = pack("nodes.backend.model.denoiser")
gaussian = pack("core.model.diffusion.noise").gaussian
LAYER = (torch.nn.Linear, torch.nn.Conv2d)


def far(p, q):
    return float((p.float() - q.float()).abs().max() / q.float().abs().max())


def names(denoiser):
    return [name for name, module in denoiser.components["unet"].named_modules() if isinstance(module, LAYER)]


with torch.inference_mode():
    model, clip, vae = load_demo()
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae)
    theirs = load_base(choice, torch.device("cpu"), torch.float32, offline=True)
    model2, clip2, vae2 = load_demo()
    again = backend.ComfyDenoiser(backend.Pair(model2, clip2), vae2)
    prompts = ["a photo of a red bag", "", "a photo of a (green:1.3) sneaker"]
    a, b = ours.encode_text(prompts), theirs.encode_text(prompts)
    x = torch.stack([gaussian((4, 8, 8), 0, str(i)) for i in range(3)])
    t = torch.tensor([10, 500, 990])
    images = theirs.decode(x)
    plain = pack("core.model.diffusion.denoiser").Conditioning(a.context, a.pooled)
    answer(
        text=far(a.context, b.context),
        predicted=far(ours.predict(x, t, a), theirs.predict(x, t, b)),
        plain=far(ours.predict(x, t, plain), theirs.predict(x, t, b)),
        encoded=far(ours.encode_image(images), theirs.encode_image(images)),
        decoded=int((ours.decode(x).int() - images.int()).abs().max()),
        digest=ours.digest() == again.digest(),
        schedule=far(ours.schedule.signal, theirs.schedule.signal),
        order=names(ours) == names(theirs),
        shape=[ours.latent_shape, ours.resolution, ours.family] == [(4, 12, 12), 96, "demo"],
    )
