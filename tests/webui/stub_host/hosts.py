"""A stub host in a process of its own, and its page and API as clients of it see them."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FAKES = HERE.parent / "fakes"
PYTHONS = [Path(path) for path in os.environ.get("OWF_WEBUI_HOSTS", "").split(os.pathsep) if path]
"""Pythons of the hosts, each with another gradio; `.ci/webui-hosts` makes them."""
CHECKPOINT, LORA = "base.safetensors [0123456789]", "lora-a"
OURS = ("core", "cli", "webui", "scripts", "javascript", "demo")
LONG = 240


def extensions(folder: Path) -> Path:
    """Return a host's folder of extensions: this checkout under a name that no package could have, and a rival."""
    ours = folder / "sd-webui.owf-v1.0"
    for name in OURS:
        shutil.copytree(ROOT / name, ours / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "install.py", "style.css", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, ours)
    shutil.copytree(HERE.parent / "rival", folder / "a-rival")
    return folder


def data(folder: Path) -> Path:
    """Return a host's folder of models, with settings that lead to a pretended command line."""
    for name in ("Lora", "Stable-diffusion"):
        (folder / name).mkdir(parents=True)
    (folder / "Stable-diffusion" / "base.safetensors").write_bytes(b"")
    for name in (LORA, "lora-b"):
        (folder / "Lora" / f"{name}.safetensors").write_bytes(b"")
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKES / "fake_python.py"}" "$@"\n')
    script.chmod(0o755)
    (folder / "config.json").write_text(json.dumps({"owf_python": str(script)}))
    return folder


@dataclass
class Answer:
    status: int
    text: str

    @property
    def data(self):
        return json.loads(self.text)


class Client:
    """A host that runs, and somebody who asks it things."""

    def __init__(self, python: Path, kind: str, extensions: Path, data: Path, *options: str):
        self.folder, self.habit = data, data / "habit"
        environment = {**os.environ, "OWF_FAKE_HABIT": str(self.habit), "GRADIO_ANALYTICS_ENABLED": "False"}
        environment |= {"no_proxy": "*", "GRADIO_TEMP_DIR": str(data / "tmp"), "PYTHONWARNINGS": "ignore"}
        environment.pop("PYTHONPATH", None)
        self.log = (data / "log").open("w+")
        command = [str(python), str(HERE / "stub_host.py"), kind, str(extensions), str(data), *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        line = next((line for line in self.process.stdout if line.startswith("{")), "")  # gradio prints too
        if not line:
            self.close()
            raise AssertionError((data / "log").read_text())
        self.url = json.loads(line)["url"].rstrip("/")

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def ask(self, path, body=None, *, method=None, auth=None, kind="application/json", raw=None) -> Answer:
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, content, method=method or ("POST" if content else "GET"))
        if content is not None:
            request.add_header("Content-Type", kind)
        if auth is not None:
            request.add_header("Authorization", "Basic " + base64.b64encode(auth.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=LONG) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())

    def state(self):
        return self.ask("/stub/state").data

    def audit(self, **more) -> Answer:
        return self.ask("/owf/v1/audit", {"checkpoint": CHECKPOINT, "loras": [LORA], **more})

    def job(self, id):
        return self.ask(f"/owf/v1/jobs/{id}").data

    def ended(self, id):
        self.until(lambda: self.job(id)["state"] not in ("waiting", "running"))
        return self.job(id)

    def behave(self, habit, mark=""):
        self.habit.write_text(f"{habit} {mark}")

    @staticmethod
    def until(holds, seconds=LONG):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.1)

    def click(self, id, event="click", **values):
        """Return what an element's event gives, its inputs as they stand on the page but for those that are given."""
        config = self.ask("/config").data
        parts = {part["id"]: part for part in config["components"]}
        (element,) = [part for part in parts.values() if part["props"].get("elem_id") == id]
        found = [
            (number, dependency)
            for number, dependency in enumerate(config["dependencies"])
            if _is_target(dependency, element["id"], event)
        ]
        assert found, f"{id} has no {event}"
        number, dependency = found[0]
        inputs = [parts[number]["props"] for number in dependency["inputs"]]
        given = [values.get(str(props.get("elem_id", "")).removeprefix("owf_"), props.get("value")) for props in inputs]
        body = {"fn_index": dependency.get("id", number), "data": given, "session_hash": "somebody"}
        answer = self.ask("/run/predict", body)
        assert answer.status == 200, answer.text
        return answer.data["data"]


def _is_target(dependency, id, event):
    """Return whether an event of an element calls a dependency, in the words of either gradio."""
    if "trigger" in dependency:
        return id in dependency["targets"] and dependency["trigger"] == event
    return [id, event] in [list(target) for target in dependency["targets"] if isinstance(target, (list, tuple))]
