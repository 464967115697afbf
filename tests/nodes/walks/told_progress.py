"""Follows a run that says what it is about to do, and returns what the browser is told."""

import sys
import time
from types import SimpleNamespace

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
pace, elapsed = progress.seconds_per_row, time.monotonic() - start
progress.resumes = True
progress.stage("LoRA: drawing")
answer(
    before=before,
    told=[data["ahead"] for data in sent],
    done=sent[-1]["done"],
    share=sent[-1]["share"],
    resumes=[sent[0]["resumes"], sent[-1]["resumes"]],
    slow=0 < 4 * pace <= elapsed + 1,
)
