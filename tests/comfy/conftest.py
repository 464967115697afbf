"""Tests on a real ComfyUI: `pytest -m comfy` with COMFYUI_DIR and COMFYUI_PYTHON set; skipped, visibly, without."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

MISSING = [name for name in ("COMFYUI_DIR", "COMFYUI_PYTHON") if not os.environ.get(name)]


def pytest_collection_modifyitems(items):
    """Mark every test of this folder, and skip it with the reason where there is no ComfyUI."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.comfy)
            item.add_marker(pytest.mark.timeout(1800))
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=f"needs a real ComfyUI: set {' and '.join(MISSING)}"))


class Host:
    """Runs walks in a ComfyUI process that has loaded the pack from a folder with dash and dot in its name."""

    def __init__(self, home: Path):
        from serve import install

        self.home, self.pack = home, install(home)

    def run(self, walk: str, seconds: float = 900, **given: object) -> dict:
        """Return what a file of `walks` gave to `answer(...)`; fail with its output where it ended otherwise."""
        places = HERE / "prelude.py", self.pack, self.home, HERE / "walks" / f"{walk}.py"
        command = [os.environ["COMFYUI_PYTHON"], *map(str, places), json.dumps(given)]
        result = subprocess.run(
            command, cwd=os.environ["COMFYUI_DIR"], capture_output=True, text=True, check=False, timeout=seconds
        )
        lines = [line for line in result.stdout.splitlines() if line.startswith("ANSWER ")]
        assert result.returncode == 0 and lines, result.stdout[-2000:] + result.stderr[-6000:]
        return json.loads(lines[-1].removeprefix("ANSWER "))


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)
