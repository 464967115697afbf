"""The extension in a real AUTOMATIC1111, Forge or Forge Classic, on the CPU; docs/webui.md says how.

The host runs on a data folder of its own, and what is audited is a small random model of Stable Diffusion 1's layout:
the copy of this checkout that the host loads has its sizes for Stable Diffusion 1's.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hosts import Client, extensions

MISSING = [name for name in ("OWF_WEBUI_DIR", "OWF_WEBUI_PYTHON") if not os.environ.get(name)]
if MISSING:
    pytest.skip(f"needs a real webui host: set {' and '.join(MISSING)}", allow_module_level=True)

pytestmark = [pytest.mark.webui, pytest.mark.timeout(1800)]
PLACE, PYTHON = Path(os.environ["OWF_WEBUI_DIR"]).resolve(), os.environ["OWF_WEBUI_PYTHON"]
PAIR = "me:secret"
# Nothing is prepared, for the host's own extensions may install packages then. What one host does not know, it ignores.
OPTIONS = (
    "--skip-prepare-environment --skip-load-model-at-start --no-download-sd-model --use-cpu all --always-cpu --no-half "
    f"--no-half-vae --api --api-auth {PAIR} --gradio-allowed-path {PLACE}"
).split()


class RealHost(Client):
    """A real host that runs, and somebody who asks it things with its password."""

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [PYTHON, "launch.py", "--port", str(port), "--data-dir", str(folder), *OPTIONS]
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            command, cwd=PLACE, stdout=self.log, stderr=subprocess.STDOUT, env=variables(), start_new_session=True
        )
        try:
            self.until(self._has_started)
        except AssertionError:
            self.close()
            raise AssertionError(self.said()) from None

    def _has_started(self):
        assert self.process.poll() is None
        return "Startup time" in self.said()  # it answers before, and adds routes meanwhile

    def said(self):
        return (self.folder / "log").read_text(errors="replace")

    def ask(self, path, body=None, *, auth: str | None = PAIR, **more):
        return super().ask(path, body, auth=auth, **more)

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


def variables():
    """Return the variables of a host that asks no network."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    offline = {"HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False", "no_proxy": "*"}
    return {**known, **offline, "IGNORE_CMD_ARGS_ERRORS": "1", "PYTHONUNBUFFERED": "1"}


def packages():
    return subprocess.run([PYTHON, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout


def data(folder):
    """Return a data folder with the extension, beside a rival, a checkpoint and a LoRA."""
    from ldm_checkpoint import write_checkpoint
    from tiny_sd import LORA_MODULES, tiny_parts, write_tiny_lora

    ours = extensions(folder / "extensions") / "sd-webui.owf-v1.0"
    for name in ("Stable-diffusion", "Lora"):
        (folder / "models" / name).mkdir(parents=True)
    parts, sizes = tiny_parts(width=768), ours / "core" / "families" / "configs" / "sd15"
    write_checkpoint(parts, folder / "models" / "Stable-diffusion" / "tiny.safetensors")
    parts.unet.save_config(sizes / "unet")
    parts.vae.save_config(sizes / "vae")
    parts.text_encoder.config.save_pretrained(sizes / "text_encoder")
    query = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    write_tiny_lora(folder / "models" / "Lora" / "tiny-lora.safetensors", modules={query: LORA_MODULES[query]})
    (folder / "config.json").write_text(json.dumps({"owf_python": sys.executable, "owf_device": "cpu"}))
    return folder


@pytest.fixture(scope="module")
def before():
    return packages()


@pytest.fixture(scope="module")
def host(before, tmp_path_factory):
    client = RealHost(data(tmp_path_factory.mktemp("data")))
    yield client
    client.close()


def test_the_tab_is_there_and_no_word_of_ours_in_the_log(host):
    parts = host.ask("/config").data["components"]
    assert "owf_tab" in {part["props"].get("elem_id") for part in parts}
    assert "owf_webui" not in host.said() and "sd-webui.owf-v1.0" not in host.said()
    assert {"/owf/v1/audit", "/owf/v1/jobs/{id}"} <= set(host.ask("/openapi.json").data["paths"])


def test_an_audit_in_the_hosts_names_runs_to_a_verdict_and_the_host_goes_on(host):
    (title,) = [model["title"] for model in host.ask("/sdapi/v1/sd-models").data]
    (lora,) = [lora["name"] for lora in host.ask("/sdapi/v1/loras").data]
    asked = {"checkpoint": title, "loras": [lora], "metrics": ["denoiser_drift"]}
    assert host.ask("/owf/v1/audit", asked, auth=None).status == 401
    id = host.ask("/owf/v1/audit", asked).data["id"]
    host.until(lambda: host.job(id)["state"] not in ("waiting", "running"), 900)
    job = host.job(id)
    assert job["state"] == "done", job
    (verdict,) = job["verdicts"]
    assert (verdict["lora"], verdict["verdict"]) in [(lora, "PASS"), (lora, "DRIFT")]
    assert host.ask(f"/owf/v1/jobs/{id}/report").data["verdict"]["decision"] == verdict["verdict"]
    assert f"OWF: {verdict['verdict']}" in (host.folder / "models" / "Lora" / f"{lora}.json").read_text()
    assert host.ask("/sdapi/v1/options").status == host.ask("/").status == 200


def test_a_job_is_cancelled_by_the_hosts_interrupt(host):
    id = host.ask("/owf/v1/audit", {"checkpoint": "tiny", "loras": ["tiny-lora"]}).data["id"]
    host.until(lambda: host.job(id)["state"] == "running")
    host.ask("/sdapi/v1/interrupt", method="POST")
    assert host.ended(id)["state"] == "cancelled"


def test_the_hosts_packages_are_as_they_were(host, before):
    assert "Making it fetches" not in _installed(host) and packages() == before


def _installed(host):
    """Return what install.py says, run as the host runs it at its start."""
    script = host.folder / "extensions" / "sd-webui.owf-v1.0" / "install.py"
    environment = {**variables(), "PYTHONPATH": str(PLACE)}
    return subprocess.run([PYTHON, str(script)], capture_output=True, text=True, check=True, env=environment).stdout
