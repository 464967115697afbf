"""Applies LoRA files of many kinds to a tiny flow model of ComfyUI's and as the command line does, and compares."""

import torch
from comfy_flow import built
from prelude import GIVEN, HOME, answer, pack, start
from safetensors.torch import save_file

start()
backend, change = pack("nodes.backend.model.denoiser"), pack("nodes.backend.change")
read_adapter, core = pack("core.adapter").read_adapter, pack("core.audit.change")
base, gaussian = pack("core.model.base"), pack("core.model.diffusion.noise").gaussian
generator = torch.Generator().manual_seed(0)
STRENGTH, PROMPTS = 0.7, ["a bag", "a coat on a chair by the window"]


def drawn(*shape, scale=0.1):
    return torch.randn(*shape, generator=generator) * scale


def lora(weight, rank=4):
    out, inputs = weight.shape
    return {"lora_down.weight": drawn(rank, inputs), "lora_up.weight": drawn(out, rank), "alpha": torch.tensor(2.0)}


def peft(weight):
    out, inputs = weight.shape
    return {"lora_A.weight": drawn(4, inputs), "lora_B.weight": drawn(out, 4)}


def lokr(weight):
    out, inputs = weight.shape
    return {"lokr_w1": drawn(4, 2), "lokr_w2": drawn(out // 4, inputs // 2), "alpha": torch.tensor(1.0)}


def loha(weight):
    out, inputs = weight.shape
    sides = {f"hada_w{i}_a": drawn(out, 2, scale=0.3) for i in (1, 2)}
    return {**sides, **{f"hada_w{i}_b": drawn(2, inputs, scale=0.3) for i in (1, 2)}, "alpha": torch.tensor(2.0)}


def dora(weight):
    return {**lora(weight), "dora_scale": weight.norm(dim=1, keepdim=True) * 1.2}


def dora_by_input(weight):
    return {**lora(weight), "dora_scale": weight.norm(dim=0, keepdim=True) * 1.2}


def dora_of_peft(weight):
    return {**peft(weight), "lora_magnitude_vector": weight.norm(dim=1) * 1.2}


def whole(weight):
    return {"diff": drawn(*weight.shape, scale=0.02)}


def with_bias(weight):
    return {**whole(weight), "diff_b": drawn(len(weight))}


def linear(root):
    """Return the weights of a network's layers by name, but for those whose size no Kronecker product here has.

    Nor that of the layer with which a language model writes, which ComfyUI leaves out, nor those with which it sees.
    """
    parts = {name: part for name, part in root.named_modules() if isinstance(part, torch.nn.Linear)}
    left = ("lm_head", "visual.", "model.visual.")
    weights = {name: part.weight.detach().float() for name, part in parts.items() if not name.startswith(left)}
    return {name: weight for name, weight in weights.items() if weight.shape[0] % 4 == 0}


def named(layers, form, make):
    return {f"{form(name)}.{end}": value for name, w in layers.items() for end, value in make(w).items()}


def kohya(name):
    return "lora_unet_" + name.replace(".", "_")


def comfy(name):
    return f"diffusion_model.{name}"


def diffusers(name):
    return f"transformer.{name}"


def far(p, q):
    return float((p - q).abs().max() / q.abs().max())


def files(original, live, biased, encoders):
    halved = {name: weight for name, weight in original.items() if weight.shape[1] % 2 == 0}
    blocks = {name: weight for name, weight in live.items() if ".attn" in name or ".attention" in name}
    found = {
        "PEFT": named(live, diffusers, peft),
        "kohya": named(original, kohya, lora),
        "ComfyUI": named(original, comfy, peft),
        "LyCORIS, diffusers' names": named(blocks, lambda name: "lycoris_" + name.replace(".", "_"), lokr),
        "LoKr": named(halved, kohya, lokr),
        "LoHa": named(original, kohya, loha),
        "DoRA": named(original, comfy, dora),
        "DoRA by input": named(original, kohya, dora_by_input),
        "DoRA of PEFT": named(live, diffusers, dora_of_peft),
        "whole": named(original, kohya, whole),
        "text encoders": {k: v for name, part in encoders.items() for k, v in texts(name, part).items()},
    }
    if biased:
        found["biases"] = named(biased, kohya, with_bias)
    return found | {"flux": of_flux, "anima": of_conditioner}.get(GIVEN["family"], lambda _: {})(original)


def of_conditioner(original):
    """Return a file that changes nothing but what reads for Anima's transformer, and is a part of it in ComfyUI."""
    reading = {name: weight for name, weight in original.items() if name.startswith("llm_adapter.")}
    return {"text conditioner": named(reading, comfy, peft)}


def of_flux(original):
    """Return files in names that only FLUX.1's have: of parts of fused layers, and with halves the other way round."""
    double, single = original["double_blocks.0.img_attn.qkv"], original["single_blocks.1.linear1"]
    width, last = double.shape[1], "final_layer.adaLN_modulation.1"
    parts = {
        "double_blocks.0.processor.qkv_lora1": double,
        "double_blocks.0.processor.proj_lora2": original["double_blocks.0.txt_attn.proj"],
        "single_blocks.1.processor.qkv_lora": single[: 3 * width],
    }
    numbered = {
        "double_blocks.0.img_attn.qkv.1": double[width : 2 * width],
        "single_blocks.1.linear1.3": single[3 * width :],
        last: original[last],
    }
    return {
        "XLabs": named(parts, str, xlabs),
        "OMI": named(numbered, lambda name: f"transformer.{name}", lora),
    }


def xlabs(weight):
    return {"down.weight": drawn(4, weight.shape[1]), "up.weight": drawn(weight.shape[0], 4)}


def texts(component, encoder):
    return named(linear(encoder), lambda name: f"{component}.{name}", peft)


def strange(original):
    """Return files of which something has no place: another block, a part of a layer, another size."""
    name = next((name for name in original if name.endswith("qkv")), next(name for name in original if ".0." in name))
    far, within = name.replace(".0.", ".7.", 1), f"{name}.inner"
    sound, weight = named(original, kohya, lora), original[name]
    return {
        "another block": sound | named({far: weight}, kohya, lora),
        "a part of a layer": sound | named({within: weight}, kohya, lora),
        "another size": sound | named({name: weight[:-4]}, kohya, lora),
        "another family's": named({f"down_blocks.0.attentions.0.{i}": weight for i in "ab"}, kohya, lora),
    }


def adapter(name, tensors):
    path = HOME / f"{name}.safetensors"
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    return read_adapter(path)


found, refused, by_loader = {}, {}, {}
with torch.inference_mode():
    model, clip, vae = built()
    if GIVEN["family"] == "flux":  # as many of T5's tokens as the command line has
        clip.set_tokenizer_option("t5xxl_min_length", 512)
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae, 64)
    theirs = base.load_base(
        base.BaseChoice(GIVEN["folder"], "folder"), torch.device("cpu"), torch.float32, offline=True
    )
    original, live = linear(model.model.diffusion_model), linear(theirs.components["transformer"])
    biased = {n: w for n, w in original.items() if model.model.diffusion_model.get_submodule(n).bias is not None}
    encoders = {name: part for name, part in theirs.components.items() if name.startswith("text")}
    x = torch.stack([gaussian(ours.latent_shape, 0, str(i)) for i in range(2)])
    t = torch.tensor([ours.schedule.steps // 10, ours.schedule.steps * 8 // 10])
    plain = theirs.predict(x, t, theirs.encode_text(PROMPTS))
    for name, tensors in files(original, live, biased, encoders).items():
        read = adapter(name, tensors)
        here, there = change.LoraChange(ours, read, STRENGTH), core.AdapterChange(theirs.components, read, STRENGTH)
        assert here.refusal() is None and there.refusal() is None, (name, here.refusal(), there.refusal())
        here.on()
        there.on()
        a, b = (d.predict(x, t, d.encode_text(PROMPTS)) for d in (ours, theirs))
        here.off()
        there.off()
        again = ours.predict(x, t, ours.encode_text(PROMPTS))
        records = [made.record() for made in (here, there)]
        found[name] = {
            "apart": far(a, b),
            "changed": far(b, plain),
            "left": far(again, plain),
            "matched": [record.matched for record in records],
            "norm": [record.delta_norm for record in records],
        }
        # The same by ComfyUI's own loader, which another hand wrote.
        file = pack("nodes.backend.lora_file").lora_weights(read.path)
        graph = change.GraphChange(ours, change.patched(ours.base, file, STRENGTH))
        if graph.refusal() is None:  # it knows some of the names
            graph.on()
            by_loader[name] = {
                "apart": far(ours.predict(x, t, ours.encode_text(PROMPTS)), b),
                "matched": graph.record().matched,
                "layers": len(read.modules),
                "family": graph.record().family,
            }
            graph.off()
    for name, tensors in strange(original).items():
        read = adapter(name, tensors)
        both = change.LoraChange(ours, read, STRENGTH), core.AdapterChange(theirs.components, read, STRENGTH)
        refused[name] = [made.refusal() for made in both]
answer(found=found, refused=refused, by_loader=by_loader)
