"""Audits with a tuned model that fails: out of memory, or otherwise."""

import torch
from kept_models import keep, load, state
from prelude import GIVEN, answer, pack, run


def of(models):
    return state(models[0].model, models[1].cond_stage_model, models[2].first_stage_model)


before = of(load())
denoiser = pack("nodes.backend.model.denoiser").ComfyDenoiser
predict = denoiser.predict


def failing(self, x_t, t, cond):
    if self.live is not self.base:
        raise torch.cuda.OutOfMemoryError("out of memory") if GIVEN["oom"] else RuntimeError("broken")
    return predict(self, x_t, t, cond)


denoiser.predict = failing
executor = run(GIVEN["prompt"])
message = next(data for event, data in executor.server.sent if event == "execution_error")["exception_message"]
answer(message=message, same=of(keep["models"]) == before, patched=bool(keep["models"][0].patches))
