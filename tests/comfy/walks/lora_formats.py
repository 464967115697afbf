"""Applies LoRA files of several formats to the demo base here and as the command line does, and compares."""

from pathlib import Path

import torch
from prelude import HOME, PACK, answer, pack, start
from safetensors.torch import load_file, save_file

start()
source = load_file(Path(PACK, "demo", "lora", "owf_demo_plain.safetensors"))
stems = sorted({name.split(".")[0] for name in source})
backend, change = pack("nodes.backend.model.denoiser"), pack("nodes.backend.change")
read_adapter, core = pack("core.adapter").read_adapter, pack("core.audit.change")
base = pack("core.model.base")
gaussian = pack("core.model.diffusion.noise").gaussian
generator = torch.Generator().manual_seed(0)
demo = base.BaseChoice(str(pack("core.demo").DEMO_BASE), "folder")
theirs = base.load_base(demo, torch.device("cpu"), torch.float32, offline=True)
weights = dict(theirs.components["unet"].named_modules())
flat = {"lora_unet_" + name.replace(".", "_"): (name, module) for name, module in weights.items()}


def as_diffusers():
    found = {}
    for stem in stems:
        name = "unet." + flat[stem][0]
        found[f"{name}.lora_A.weight"] = source[f"{stem}.lora_down.weight"]
        found[f"{name}.lora_B.weight"] = source[f"{stem}.lora_up.weight"]
    return found


def with_magnitudes():
    found = dict(source)
    for stem in stems:
        weight = flat[stem][1].weight.float()
        found[f"{stem}.dora_scale"] = (weight.flatten(1).norm(dim=1) * 1.2).view(-1, *[1] * (weight.ndim - 1))
    return found


def whole():
    found = {}
    for stem in stems:
        module = flat[stem][1]
        found[f"{stem}.diff"] = torch.randn(module.weight.shape, generator=generator) * 0.01
        if module.bias is not None:
            found[f"{stem}.diff_b"] = torch.randn(module.bias.shape, generator=generator) * 0.05
    return found


def ia3():
    found = {}
    for stem in stems[::2]:
        found[f"{stem}.weight"] = torch.randn(flat[stem][1].weight.shape[0], generator=generator) * 0.1
        found[f"{stem}.on_input"] = torch.tensor(False)
    return found


files = {
    "kohya": source,
    "diffusers": as_diffusers(),
    "alpha zero": {n: t * 0 if n.endswith("alpha") else t for n, t in source.items()},
    "dora": with_magnitudes(),
    "whole": whole(),
    "ia3": ia3(),
}
x = torch.stack([gaussian((4, 8, 8), 0, str(i)) for i in range(2)])
t = torch.tensor([100, 800])
found = {}
with torch.inference_mode():
    model, clip, vae = pack("nodes.backend.demo").load_demo()
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae)
    for name, tensors in files.items():
        path = HOME / f"{name}.safetensors"
        save_file({n: v.contiguous() for n, v in tensors.items()}, path)
        adapter = read_adapter(path)
        here, there = change.LoraChange(ours, adapter, 0.7), core.AdapterChange(theirs.components, adapter, 0.7)
        assert here.refusal() is None and there.refusal() is None, (name, here.refusal(), there.refusal())
        plain = theirs.predict(x, t, theirs.encode_text(["a bag", "a coat"]))
        here.on()
        there.on()
        a = ours.predict(x, t, ours.encode_text(["a bag", "a coat"]))
        b = theirs.predict(x, t, theirs.encode_text(["a bag", "a coat"]))
        here.off()
        there.off()
        again = ours.predict(x, t, ours.encode_text(["a bag", "a coat"]))
        size = float(plain.abs().max())
        found[name] = [float((p - q).abs().max()) / size for p, q in ((a, b), (b, plain), (again, plain))]
answer(**found)
