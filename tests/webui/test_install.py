"""`install.py` is run by hosts at their start, and by ComfyUI-Manager: it fetches nothing unasked and never fails."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("owf_environment", ROOT / "webui" / "environment.py")
environment = importlib.util.module_from_spec(_SPEC)
"""Of this folder, as `install.py` has it: an installed package is no extension, and has no list of what to fetch."""
_SPEC.loader.exec_module(environment)


def run(folder: Path, *, script: Path = ROOT / "install.py", **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script)]
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**known, **variables}, cwd=folder, timeout=200
    )


def test_in_comfyui_it_says_nothing(tmp_path):
    result = run(tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.skipif(environment.FOLDER.exists(), reason="an environment was made here")
def test_a_webui_hears_what_would_be_fetched_and_how(tmp_path):
    (tmp_path / "launch.py").write_text("raise RuntimeError('nobody is to import this')")
    (tmp_path / "modules").mkdir()
    result = run(tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 0
    for said in ("GB", str(environment.FOLDER), "--now", "Settings > OWF", "no package of the host is touched"):
        assert said in result.stdout
    assert not environment.FOLDER.exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('{"owf_python": "/a/python"}', False),
        ('{"owf_python": ""}', True),
        ("[]", True),
        ("{", True),
        ("[" * 9999, True),
    ],
)
def test_a_webui_whose_settings_name_a_python_hears_nothing(tmp_path, settings, says):
    ours = tmp_path / "extensions" / "owf"
    (ours / "webui").mkdir(parents=True)
    for name in ("install.py", "webui/environment.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, ours / name)
    for name in ("launch.py", "modules.py", "config.json"):
        (tmp_path / name).write_text(settings if name == "config.json" else "")
    result = run(tmp_path, PYTHONPATH=str(tmp_path), script=ours / "install.py")
    assert result.returncode == 0 and ("--now" in result.stdout) is says


def test_a_host_that_cannot_be_looked_at_is_no_failure(tmp_path):
    (tmp_path / "launch.py").write_text("")
    (tmp_path / "modules.py").write_text("")
    assert run(tmp_path, PYTHONPATH=str(tmp_path)).returncode == 0


def test_what_is_fetched_is_what_the_project_asks_for_and_not_the_project():
    needed = environment._needed()
    names = {re.split(r"[<>=; ]", requirement)[0] for requirement in needed}
    assert {"torch", "diffusers", "transformers", "peft", "filelock"} <= names
    assert not {"owf", "pytest", "gradio"} & names
    assert all(re.fullmatch(r"[a-z0-9-]+>=[\d.]+(; python_version < '3.11')?", requirement) for requirement in needed)


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What would be run to make the environment; each call gives the exit code that is next in `codes`."""
    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    monkeypatch.setattr(environment, "_MARK", tmp_path / "made-from.txt")

    def run(command, env, check):
        calls.append((command, env))
        return subprocess.CompletedProcess(command, codes.pop(0))

    calls, codes = [], [0, 0]
    monkeypatch.setattr(environment.subprocess, "run", run)
    return calls, codes


def test_it_says_what_it_will_do_and_installs_into_its_own_folder_only(calls, monkeypatch, capfd):
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "PIP_USER", "PIP_PREFIX"):
        monkeypatch.setenv(name, "/of/the/host")  # would lead pip into the host's packages
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror")
    monkeypatch.setenv("TORCH_INDEX_URL", "https://torch")
    assert environment.make() == 0
    (venv, env), (pip, _) = calls[0]
    assert venv == [sys.executable, "-I", "-m", "venv", "--clear", str(environment.FOLDER)]
    assert pip[:5] == [str(environment._python()), "-I", "-m", "pip", "install"]
    assert environment._python().is_relative_to(environment.FOLDER)
    assert pip[pip.index("--extra-index-url") + 1] == "https://torch"
    assert "/of/the/host" not in env.values() and env["PIP_INDEX_URL"] == "https://mirror"
    said = capfd.readouterr().out
    assert said.index("GB") < said.index("-m venv") < said.index("-m pip")
    assert environment.python() == str(environment._python())


def test_without_a_network_it_says_what_to_do(calls, capfd):
    calls[1][1] = 1
    assert environment.make() == 2
    assert "Without a network" in capfd.readouterr().out
    assert environment.python() == ""


def test_an_environment_for_another_version_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "_MARK", tmp_path / "made-from.txt")
    (tmp_path / "made-from.txt").write_text("another")
    assert environment.python() == ""
    (tmp_path / "made-from.txt").write_text(environment._digest())
    assert environment.python() == str(environment._python())


def test_what_could_not_be_made_is_not_laid_on_the_network(calls, capfd):
    calls[1][0] = 1
    assert environment.make() == 2
    said = capfd.readouterr().out
    assert len(calls[0]) == 1 and "could not make a Python environment" in said and "network" not in said


def test_a_python_that_cannot_begin_is_a_sentence(calls, monkeypatch, capfd):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(environment.subprocess, "run", refuse)
    assert environment.make() == 2
    assert f"{sys.executable}: Permission denied." in capfd.readouterr().out
