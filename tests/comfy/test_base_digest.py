"""What a base is known by on today's ComfyUI: measured once for every LoRA, and anew for what somebody changed."""

import json

from graphs import DEMO, audit

LOADERS = """
start()
from safetensors.torch import save_file
from comfy import sd1_clip
digest_of, is_patched = pack("nodes.backend.model.digest").digest_of, pack("nodes.backend.model.digest").is_patched
import comfy.sd
folder = HOME / "text_encoders"
folder.mkdir()
folder_paths.add_model_folder_path("text_encoders", str(folder))
names = sd1_clip.SDClipModel().transformer.state_dict()
# As the files of Stable Diffusion 1 are: without the projection, which ComfyUI then leaves to chance.
tensors = {n: torch.randn(t.shape).half() * 0.02 for n, t in names.items() if n != "text_projection.weight"}
save_file(tensors, folder / "clip_l.safetensors")
loader = nodes.NODE_CLASS_MAPPINGS["CLIPLoader"]()
model, _, vae = pack("nodes.backend.demo").load_demo()
first = loader.load_clip("clip_l.safetensors", "stable_diffusion")[0]
waste = [torch.randn(768, 768) for _ in range(8)]  # so that chance gives another projection
second = loader.load_clip("clip_l.safetensors", "stable_diffusion")[0]
plain, again = digest_of(model, first, vae), digest_of(model, second, vae)

def other_type(patcher, dtype):
    patcher.set_model_compute_dtype(dtype)
    return patcher

typed = first.clone()
other_type(typed.patcher, torch.float16)
unset = first.clone()
unset.patcher.force_cast_weights = not unset.patcher.force_cast_weights
import comfy.hooks
hooked = first.clone()
hooked.patcher.forced_hooks = comfy.hooks.HookGroup()
hooked.patcher.forced_hooks.add(comfy.hooks.WeightHook())
computing = other_type(model.clone(), torch.float32)
sampling = type(model.get_model_object("model_sampling"))(model.model.model_config)
levels = sampling.sigmas.clone()
levels[-1] *= 2
sampling.set_sigmas(levels)
plain_sampling = model.model.model_sampling
model.model.model_sampling = sampling  # as a marker in a checkpoint sets it, without a patch
levelled = digest_of(model, first, vae)
model.model.model_sampling = plain_sampling
answer(plain=plain, again=again, born=repr(first.patcher.object_patches), patched=is_patched(first.patcher),
       parts=[is_patched(model), is_patched(vae.patcher)],
       others=[digest_of(*given) for given in [(model, typed, vae), (model, unset, vae), (model, hooked, vae),
                                               (computing, first, vae)]], levelled=levelled)
"""


def test_two_loads_of_one_base_are_one_base_and_a_type_that_somebody_set_is_another(host):
    found = host.run(LOADERS)
    assert not found["patched"], found["born"]
    assert found["parts"] == [False, False]
    assert found["plain"] == found["again"]
    assert len({found["plain"], found["levelled"], *found["others"]}) == 6


COUNTED = """
start()
import comfy.model_management as management
denoiser, keep = pack("nodes.backend.model.denoiser").ComfyDenoiser, {"base": 0, "tuned": 0}
predict = denoiser.predict
def counting(self, x_t, t, cond):
    keep["base" if self.live is self.base else "tuned"] += len(x_t)
    return predict(self, x_t, t, cond)
denoiser.predict = counting
class Canceller(Server):
    def send_sync(self, event, data, client=None):
        super().send_sync(event, data, client)
        if event == "owf.progress" and data["stage"] == STAGE and keep["tuned"] > 40 and "at" not in keep:
            keep["at"] = True
            management.interrupt_current_processing()
def rows(lora, server=None):
    keep.update(base=0, tuned=0)
    run(json.loads(PROMPT.replace("LORA", lora)), server)
    return [keep["base"], keep["tuned"]]
server = Canceller()
cancelled = rows("[demo] owf_demo_plain.safetensors", server)
resumed = rows("[demo] owf_demo_plain.safetensors")
second = rows("[demo] owf_demo_dc.safetensors")
answer(cancelled=cancelled, resumed=resumed, second=second, stopped="at" in keep,
       caches=len(list((HOME / "output" / "owf" / "cache").glob("base-*.sqlite"))),
       reports=len(list((HOME / "output" / "owf").glob("*/report.json"))))
"""


def test_a_second_lora_asks_nothing_of_the_base_and_a_cancelled_audit_goes_on(host):
    prompt = {"1": DEMO, "2": audit(lora="LORA", metrics="denoiser_drift", per_class=1)}
    code = f"PROMPT = {json.dumps(prompt)!r}\nSTAGE = 'LoRA: predicting'\n{COUNTED}"
    found = host.run(code)
    assert found["stopped"]
    base, made = found["cancelled"]
    whole = found["second"][1]
    assert base > 0 and 0 < made < whole
    # What was cancelled is kept but for the batch that ran, and the base is not asked again.
    assert found["resumed"][0] == 0 and whole - made <= found["resumed"][1] < whole
    assert found["second"][0] == 0
    assert (found["caches"], found["reports"]) == (1, 2)
    # A ComfyUI that was started anew loads the base anew: it is still the same one.
    assert host.run(code.replace("STAGE = 'LoRA", "STAGE = 'no"))["cancelled"][0] == 0


OTHER_BASE = """
start()
for prompt in json.loads(PROMPTS):
    run(prompt)
reports = [json.loads(path.read_text()) for path in (HOME / "output" / "owf").glob("*/report.json")]
answer(bases=sorted(report["base"]["digest"] for report in reports), environment=reports[0]["environment"])
"""


def test_a_lora_on_another_base_has_a_report_of_its_own(host):
    plain = {"1": DEMO, "2": audit(metrics="denoiser_drift")}
    skipping = {"class_type": "CLIPSetLastLayer", "inputs": {"clip": ["1", 1], "stop_at_clip_layer": -2}}
    other = {"1": DEMO, "3": skipping, "2": audit(metrics="denoiser_drift", clip=["3", 0])}
    found = host.run(f"PROMPTS = {json.dumps([plain, other, plain])!r}\n{OTHER_BASE}")
    assert len(found["bases"]) == len(set(found["bases"])) == 2
    assert found["environment"]["ComfyUI"] and found["environment"]["attention"]
