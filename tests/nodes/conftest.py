"""The pack on a host stub of our own: no ComfyUI is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Stub:
    """Runs walks on the stub host with the pack under a folder name with dash and dot."""

    def __init__(self, home: Path):
        self.home = home
        for name in ("input", "output", "loras"):
            (home / name).mkdir()
        self.pack = home / "custom_nodes" / "My-OWF pack.v2"
        self.pack.parent.mkdir()
        self.pack.symlink_to(ROOT, target_is_directory=True)

    def run(self, walk: str, *arguments: object) -> dict:
        """Return what a file of `walks` gave to `answer(...)`, and what was logged as "log"."""
        places = (ROOT / "tests" / "support" / "walk.py", self.pack, HERE / "stub_host", HERE / "walks" / f"{walk}.py")
        command = [sys.executable, "-I", *map(str, places), json.dumps(arguments)]
        environment = {**os.environ, "STUB_HOME": str(self.home)}
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert result.returncode == 0, result.stderr
        line = next(line for line in result.stdout.splitlines() if line.startswith("ANSWER "))
        return {**json.loads(line.removeprefix("ANSWER ")), "log": result.stderr}


@pytest.fixture
def stub(tmp_path):
    return Stub(tmp_path)


@pytest.fixture(scope="module")
def shared_stub(tmp_path_factory):
    """For what only looks: one for all tests of a file."""
    return Stub(tmp_path_factory.mktemp("stub"))
