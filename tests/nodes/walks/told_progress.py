"""Follows a run that says what it is about to do, and returns what the browser is told."""

import sys
import time
from types import SimpleNamespace

import torch
from comfy.utils import moves
from walk import answer, pack

sent = []
server = SimpleNamespace(send_sync=lambda event, data, client: sent.append(data), client_id=None)
sys.modules["server"] = SimpleNamespace(PromptServer=SimpleNamespace(instance=server))
progress = pack("nodes.ui.progress").NodeProgress("7")
before = progress.seconds_per_row
progress.ahead("5 rows, and nothing is cached.")
progress.total(5)
start = time.monotonic()
progress.stage("Base: drawing")
progress.advance(4)
while time.monotonic() == start:  # a clock may be coarse
    pass
pace = progress.seconds_per_row
progress.preview(torch.zeros(2, 3, 300, 600, dtype=torch.uint8))
progress.resumes = True
progress.stage("LoRA: drawing")
answer(
    before=before,
    told=[data["ahead"] for data in sent],
    done=sent[-1]["done"],
    share=sent[-1]["share"],
    resumes=[sent[0]["resumes"], sent[-1]["resumes"]],
    pictures=[data["picture"].startswith("data:image/jpeg;base64,") for data in sent if "picture" in data],
    moves=sorted({move[2] for move in moves}, key=str),  # ComfyUI's own preview would stay when the node is done
    pace=pace > 0,
)
