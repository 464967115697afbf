"""Starts a real ComfyUI server with the pack under a folder name with dash and dot, and everything else empty."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "owf-pack.v2"


def install(home: Path) -> Path:
    """Return a folder like custom_nodes/owf-pack.v2 that is this checkout."""
    pack = home / "custom_nodes" / NAME
    pack.parent.mkdir(parents=True, exist_ok=True)
    if not pack.exists():
        pack.symlink_to(ROOT, target_is_directory=True)
    return pack


@contextmanager
def server(home: Path, *options: str) -> Iterator[str]:
    """Yield the address of a running ComfyUI whose base folder is `home`; it ends with the block."""
    install(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [os.environ["COMFYUI_PYTHON"], "main.py", "--cpu", "--port", str(port), "--base-directory", str(home)]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--disable-api-nodes", *options],
            cwd=os.environ["COMFYUI_DIR"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, home / "server.log")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen, log: Path, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            urllib.request.urlopen(url + "/system_stats", timeout=5).read()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("ComfyUI did not start:\n" + log.read_text(errors="replace")[-3000:])
