"""Audits LoRAs twice into one ledger, the second time with one more; the first time the user presses cancel at one."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace as Some

import folder_paths
from comfy import model_management as management
from made_rows import report
from walk import answer, pack

many, errors, places = pack("nodes.auditing.many"), pack("core.errors"), pack("nodes.backend.places")
for name in "abcd":
    Path(folder_paths.HOME, "loras", f"{name}.safetensors").write_bytes(name.encode() * 9)


@dataclass(frozen=True)
class Request:
    metrics: tuple = ("denoiser_drift",)
    images: object = None


class Audits:
    question = Some(request=Request(), base="")
    base = Some(digest=lambda: "base", device=Some(type="cpu"), dtype="float32", latent_shape=(4, 8, 8))
    policy = pack("core.verdict.policy").default_policy()
    given_digest = ""

    def __init__(self, cancelled=""):
        self.asked, self.cancelled = [], cancelled

    def lora(self, choice, strength):
        self.asked.append([choice, strength])
        if choice == self.cancelled:
            raise management.InterruptProcessingException
        if choice == "b.safetensors":
            raise errors.AdapterError("b.safetensors: It is broken.", errors.Setting("features", "clip"))
        folder = places.reports_folder() / f"{choice}-{strength:g}"
        folder.mkdir(parents=True, exist_ok=True)
        return Some(report=report(0.0001 if choice == "a.safetensors" else 0.1), folder=folder)


class Progress:
    def __init__(self):
        self.tasks = []

    def task(self, *begun):
        self.tasks.append(begun)


def run(audits, *names):
    progress = Progress()
    done = many.audit_many([f"{name}.safetensors" for name in names], [0.5, 1.0], audits, progress)
    return [[d.row.name, d.row.strength, d.row.verdict, d.row.reason, d.is_known] for d in done], progress.tasks


first, second, third = Audits("c.safetensors"), Audits(), Audits()
stopped = False
try:
    run(first, "a", "b", "c")
except management.InterruptProcessingException:
    stopped = True
rows, tasks = run(second, "a", "b", "c")
single = Some(report=report(0.1), folder=places.reports_folder() / "d")
many.keep(third, "d.safetensors", 1.0, single)
kept, _ = run(third, "d")
out = places.reports_folder()
answer(
    stopped=stopped,
    first=first.asked,
    second=second.asked,
    third=third.asked,
    rows=rows,
    kept=kept,
    tasks=tasks,
    pages=sorted(path.name for path in out.iterdir() if path.suffix in (".html", ".sqlite")),
)
