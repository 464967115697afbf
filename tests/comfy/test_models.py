"""ComfyUI's models as a Denoiser: the demo base as diffusers answers, SDXL, v and flow by their definitions."""

from comfy_sdxl import BUILD

DEMO = """
start()
import importlib
load_base = pack("core.model.base").load_base
choice = pack("core.model.base").BaseChoice(str(pack("core.demo").DEMO_BASE), "folder")
backend = pack("nodes.backend.model.denoiser")
gaussian = pack("core.model.noise").gaussian
with torch.inference_mode():
    model, clip, vae = pack("nodes.backend.demo").load_demo()
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae)
    theirs = load_base(choice, torch.device("cpu"), torch.float32, offline=True)
    model2, clip2, vae2 = pack("nodes.backend.demo").load_demo()
    again = backend.ComfyDenoiser(backend.Pair(model2, clip2), vae2)
    prompts = ["a photo of a red bag", "", "a photo of a (green:1.3) sneaker"]
    a, b = ours.encode_text(prompts), theirs.encode_text(prompts)
    x = torch.stack([gaussian((4, 8, 8), 0, str(i)) for i in range(3)])
    t = torch.tensor([10, 500, 990])
    images = theirs.decode(x)
    far = lambda p, q: float((p.float() - q.float()).abs().max() / q.float().abs().max())
    plain = pack("core.model.denoiser").Conditioning(a.context, a.pooled)
    layer = (torch.nn.Linear, torch.nn.Conv2d)
    names = lambda d: [n for n, m in d.components["unet"].named_modules() if isinstance(m, layer)]
    answer(text=far(a.context, b.context), predicted=far(ours.predict(x, t, a), theirs.predict(x, t, b)),
           plain=far(ours.predict(x, t, plain), theirs.predict(x, t, b)),
           encoded=far(ours.encode_image(images), theirs.encode_image(images)),
           decoded=int((ours.decode(x).int() - images.int()).abs().max()), digest=ours.digest() == again.digest(),
           schedule=far(ours.schedule.signal, theirs.schedule.signal), order=names(ours) == names(theirs),
           shape=[ours.latent_shape, ours.resolution, ours.family] == [(4, 8, 8), 64, "demo"])
"""


def test_the_demo_base_answers_as_it_does_in_diffusers(host):
    found = host.run(DEMO)
    # Float32 sums in another order: a few units in the seventh digit, growing with depth.
    assert found["text"] < 2e-6 and found["encoded"] < 2e-6
    assert found["predicted"] < 1e-5 and found["plain"] < 1e-5
    assert found["decoded"] <= 1
    assert found["schedule"] < 1e-6
    assert found["digest"] and found["order"] and found["shape"]


SDXL = """
backend = pack("nodes.backend.model.denoiser")
gaussian = pack("core.model.noise").gaussian
with torch.inference_mode():
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae, 64)
    cond = ours.encode_text(["a cat", "a red dog"])
    x0, eps = (torch.stack([gaussian((4, 8, 8), seed, str(i)) for i in range(2)]) for seed in (0, 1))
    t = torch.tensor([100, 900])
    x_t = ours.schedule.noise(x0, eps, t)
    predicted = ours.predict(x_t, t, cond)
    # The network asked directly, by the definition of its kind.
    sigma = model.get_model_object("model_sampling").sigmas[t]
    signal = 1 - sigma if KIND == "FLOW" else (1 + sigma ** 2) ** -0.5
    pooled = network.encode_adm(pooled_output=cond.pooled, width=64, height=64, device="cpu")
    time = sigma * 1000 if KIND == "FLOW" else t.float()
    direct = network.diffusion_model(x_t, time, context=cond.context, y=pooled)
    one = torch.cat([ours.predict(x_t[i:i+1], t[i:i+1], cond.rows([i])) for i in range(2)])
    patched = model.clone()
    patched.set_model_attn1_output_patch(lambda out, extra: out * -20)
    ours.use(backend.Pair(patched, clip))
    changed = ours.predict(x_t, t, cond)
    ours.use(ours.base)
    far = lambda p, q: float((p - q).abs().max() / q.abs().max())
    target = ours.schedule.target(x0, eps, t)
    x0_again, eps_again = ours.schedule.split(x_t, target, t)
    answer(kind=ours.schedule.prediction_type, family=ours.family, direct=far(predicted, direct),
           one=far(one, predicted),
           sizes=[name for name, _ in ours.components["unet"].named_modules() if name.endswith("embedding.linear_1")],
           changed=far(changed, predicted), back=far(ours.predict(x_t, t, cond), predicted), split=far(x0_again, x0),
           pooled=list(cond.pooled.shape), context=list(cond.context.shape))
"""


def check(host, kind: str, name: str):
    found = host.run(f"KIND = {kind!r}\nstart()\n{BUILD}{SDXL}")
    assert (found["kind"], found["family"]) == (name, "sdxl")
    assert found["context"] == [2, 77, 64] and found["pooled"] == [2, 32]
    assert found["sizes"] == ["time_embedding.linear_1", "add_embedding.linear_1"], "as LoRAs of LCM and DMD2 name it"
    # ComfyUI gives denoised latents; getting the prediction back divides by sigma, at least 0.1 here.
    assert found["direct"] < 2e-5 and found["one"] < 2e-5
    assert found["split"] < 1e-4
    assert found["changed"] > 1e-4, "an attention patch must count"
    assert found["back"] == 0, "and must be gone afterwards"


DIGESTS = """
start()
digest_of = pack("nodes.backend.model.digest").digest_of
with torch.inference_mode(False):
    model, clip, vae = pack("nodes.backend.demo").load_demo()
skipping = clip.clone()
skipping.clip_layer(-2)
lora = pack("nodes.backend.change").lora_weights(Path(PACK, "demo", "lora", "owf_demo_plain.safetensors"))
backend = pack("nodes.backend.model.denoiser")
tuned = pack("nodes.backend.change").patched(backend.Pair(model, clip), lora, 1.0)
# A patched base first: what is loaded then are not the weights of the plain one.
patched = [backend.ComfyDenoiser(tuned, vae).digest() for _ in range(2)]
plain = backend.ComfyDenoiser(backend.Pair(model, clip), vae).digest()
fresh, other = pack("nodes.backend.demo").load_demo(), model.clone()
other.set_injections("other", [])
other.set_injections("one", [object()])
answer(plain=plain, again=digest_of(model, clip.clone(), vae), fresh=digest_of(*fresh), patched=patched,
       skipping=digest_of(model, skipping, vae), injected=digest_of(other, clip, vae))
"""


def test_a_skipped_layer_of_clip_is_another_base(host):
    found = host.run(DIGESTS)
    assert found["plain"] == found["again"] == found["fresh"] != found["skipping"]
    # Patches are code: nothing tells two of them apart, so no result of such a base is met again.
    assert len({found["plain"], found["injected"], *found["patched"]}) == 4


def test_sdxl_epsilon(host):
    check(host, "EPS", "epsilon")


def test_sdxl_v_prediction(host):
    check(host, "V_PREDICTION", "v_prediction")


def test_flow(host):
    check(host, "FLOW", "flow")


MEMORY = """
start()
import comfy.model_management as management
asked, load = [], management.load_models_gpu
def loading(models, **wishes):
    asked.append({"models": [type(m.model).__name__ for m in models], **wishes})
    return load(models, **wishes)
management.load_models_gpu = loading
backend, trainer = pack("nodes.backend.model.denoiser"), pack("nodes.backend.model.trainer")
features = pack("nodes.backend.features").host_features("demo", pack("core.progress").SILENT)
gaussian = pack("core.model.noise").gaussian
model, clip, vae = pack("nodes.backend.demo").load_demo()
with torch.inference_mode():
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae)
    cond = ours.encode_text(["a bag"] * 3)
    asked.clear()
    ours.predict(torch.stack([gaussian((4, 8, 8), 0, str(i)) for i in range(3)]), torch.tensor([10, 500, 990]), cond)
    (predicting,) = asked
    asked.clear()
    vectors = features(torch.zeros(6, 3, 64, 64, dtype=torch.uint8))
    looking = list(asked)
    asked.clear()
with torch.inference_mode(False):
    trainer.ComfyTrainer(backend.Pair(model, clip), vae, None, pack("core.progress").SILENT)
training = asked[-1]
needs = [model.memory_required([rows, 4, 8, 8]) + management.minimum_inference_memory() for rows in (3, 1)]
answer(predicting=predicting, needs=needs, looking=looking, shape=list(vectors.shape), training=training)
"""


def test_comfyui_is_told_what_memory_a_batch_needs(host):
    found = host.run(MEMORY)
    predicting, training = found["predicting"], found["training"]
    assert [predicting["memory_required"], predicting["minimum_memory_required"]] == found["needs"]
    assert found["needs"][0] > found["needs"][1] and not predicting["force_full_load"]
    # Six images in two parts, so that cancel is heard between them.
    assert [len(load["models"]) for load in found["looking"]] == [1, 1] and found["shape"][0] == 6
    assert training["force_full_load"] and training["memory_required"] > 1e15 and training["models"] == ["BaseModel"]


FORMATS = """
start()
from safetensors.torch import load_file, save_file
source = load_file(Path(PACK, "demo", "lora", "owf_demo_plain.safetensors"))
stems = sorted({name.split(".")[0] for name in source})
backend, change = pack("nodes.backend.model.denoiser"), pack("nodes.backend.change")
read_adapter, core = pack("core.adapter").read_adapter, pack("core.audit.change")
base = pack("core.model.base")
gaussian = pack("core.model.noise").gaussian
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
        here.on(), there.on()
        a = ours.predict(x, t, ours.encode_text(["a bag", "a coat"]))
        b = theirs.predict(x, t, theirs.encode_text(["a bag", "a coat"]))
        here.off(), there.off()
        again = ours.predict(x, t, ours.encode_text(["a bag", "a coat"]))
        size = float(plain.abs().max())
        found[name] = [float((a - b).abs().max()) / size, float((b - plain).abs().max()) / size,
                       float((again - plain).abs().max()) / size]
answer(**found)
"""


def test_a_lora_of_any_format_is_applied_as_the_command_line_applies_it(host):
    """ComfyUI's own loader skips some of these files with a line in its log: they would have read as harmless."""
    for name, (apart, changed, left) in host.run(FORMATS).items():
        assert changed > 1e-3, name
        assert apart < 2e-5 and left < 2e-5, (name, apart, left)
