"""Counts what is asked of base and tuned model: by an audit that is cancelled, by it again, and by another LoRA's."""

import comfy.model_management as management
from prelude import GIVEN, HOME, Server, answer, pack, run, start

start()
denoiser, keep = pack("nodes.backend.model.denoiser").ComfyDenoiser, {"base": 0, "tuned": 0}
predict = denoiser.predict


def counting(self, x_t, t, cond):
    keep["base" if self.live is self.base else "tuned"] += len(x_t)
    return predict(self, x_t, t, cond)


denoiser.predict = counting


class Canceller(Server):
    def send_sync(self, event, data, client=None):
        super().send_sync(event, data, client)
        if event == "owf.progress" and data["stage"] == GIVEN["stage"] and keep["tuned"] > 40 and "at" not in keep:
            keep["at"] = True
            management.interrupt_current_processing()


def rows(lora, server=None):
    keep.update(base=0, tuned=0)
    GIVEN["prompt"]["2"]["inputs"]["lora"] = lora
    run(GIVEN["prompt"], server)
    return [keep["base"], keep["tuned"]]


answer(
    cancelled=rows("[demo] owf_demo_plain.safetensors", Canceller()),
    resumed=rows("[demo] owf_demo_plain.safetensors"),
    second=rows("[demo] owf_demo_dc.safetensors"),
    stopped="at" in keep,
    caches=len(list((HOME / "output" / "owf" / "cache").glob("base-*.sqlite"))),
    reports=len(list((HOME / "output" / "owf").glob("*/report.json"))),
)
