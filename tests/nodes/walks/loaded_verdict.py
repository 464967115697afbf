"""Returns what the loader says and lets through, with what a LoRA's file, its note and the ledger say of it."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace as Some

import folder_paths
from made_rows import done
from walk import ARGUMENTS, answer, pack

places, load, found = pack("nodes.backend.places"), pack("nodes.load"), pack("nodes.auditing.known")
ledger, row = pack("core.ledger.ledger"), pack("core.ledger.row")
file, note, rows, strength, gate = ARGUMENTS
path = Path(folder_paths.HOME, "loras", "mine.safetensors")
path.write_bytes(places.lora_path(places.DEMO).read_bytes())
pack("core.train.metadata").add_metadata(path, {"owf.verdict": file})  # in place of what its own training found
sha256 = pack("core.disk.download").file_sha256(path)
if note:
    path.with_name("mine.owf.json").write_text(json.dumps({"verdict": note, "strength": 1.0, "sha256": sha256}))
marks = [load.LoadAuditedLora.fingerprint_inputs("mine.safetensors", strength)]
if rows:
    places.reports_folder().mkdir(parents=True, exist_ok=True)
    with ledger.Ledger(found.ledger()) as kept:
        for drift, at, whole in rows:
            kept.put(dataclasses.replace(done("other name", at, drift, whole=whole).row, sha256=sha256), None)
marks.append(load.LoadAuditedLora.fingerprint_inputs("mine.safetensors", strength))
known, notes = found.known_of(path, strength)
out = load.answer(path, known, notes, Some(model="MODEL", clip="CLIP"), gate)
model, clip, verdict = out.args
answer(verdict=verdict, open=[model, clip] == ["MODEL", "CLIP"], panel=out.ui["owf"][0], changed=len(set(marks)) > 1)
