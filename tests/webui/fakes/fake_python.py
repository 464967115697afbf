"""Stands in for `owf_python`: runs the pretended command line; $OWF_FAKE_HABIT names a file with its habit."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    isolated, program, kind, *arguments = sys.argv[1:]
    assert (isolated, Path(program).name) == ("-I", "child.py")
    if arguments[:1] == ["inspect"]:
        print('[{"file": "a.safetensors", "algorithm": "<b>lora</b>", "ranks": [4], "blocks": []}]')
        sys.exit(0)
    habit = Path(os.environ["OWF_FAKE_HABIT"]).read_text().split()
    if habit[0] == "report":
        out = next(a.partition("=")[2] for a in arguments if a.startswith("--out="))
        subprocess.run([sys.executable, str(HERE / "sample_report.py"), out], check=True)
        habit = ["reported", f"{out}/sample"]
    if habit[0] == "trained":
        said = {a.partition("=")[0]: a.partition("=")[2] for a in arguments}
        Path(said["--out"]).mkdir(parents=True, exist_ok=True)
        (Path(said["--out"]) / f"{said['--name']}.safetensors").write_bytes(b"a LoRA")
    os.execv(sys.executable, [sys.executable, "-I", str(HERE / "fake_child.py"), kind, *habit])
