"""The private Python of the child process: what it needs, whether it is there, how it is made. No package needed."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".owf-env"
_MARK = FOLDER / "made-from.txt"
"""Digest of what the environment was made from, written when it is whole."""
LEAST = (3, 10)
"""Python that the package needs; `requires-python` in pyproject.toml says the same."""
SIZE = "about 3 GB to download and 7 GB on disk on Linux with an NVIDIA card, 0.5 and 2 GB elsewhere"
"""Mostly torch and the CUDA libraries that its Linux wheels ask for."""


def python() -> str:
    """Return the Python of the private environment; empty where it is not there, or was made for another version."""
    try:
        whole = _MARK.read_text(encoding="utf-8") == _digest()
    except OSError:
        return ""
    return str(_python()) if whole else ""


def said_before() -> str:
    """Return what making the environment would do."""
    return (
        f"OWF computes in a Python environment of its own, {FOLDER}. Making it fetches torch, diffusers, transformers "
        f"and some forty other packages, {SIZE}; no package of the host is touched."
    )


def how_to(lead: str = 'Press "Prepare" in the tab OWF, or run') -> str:
    """Return how it is made, or done without; `lead` leads to the command."""
    return (
        f"{lead}\n"
        f'    "{sys.executable}" "{ROOT / "install.py"}" --now\n'
        "or name a Python that has these packages in Settings > OWF."
    )


def offline() -> str:
    """Return what to do where pip fails, which says above why: mostly there is no network, or no space."""
    return (
        "The packages could not be installed; the lines above say why. Without a network, make the environment "
        "elsewhere, on the same system and "
        f"Python: pip wheel -c constraints.txt '.[train]' -w wheels in {ROOT}; bring the folder here, and set "
        "PIP_NO_INDEX=1 and PIP_FIND_LINKS to it. Or name a Python that has the packages in Settings > OWF."
    )


def make() -> int:
    """Make the environment and return 0; say what is missing, and return 2, where that cannot be."""
    if sys.version_info < LEAST:
        print(f"OWF needs Python {LEAST[0]}.{LEAST[1]} or newer; this is {sys.version.split()[0]}.")
        return 2
    print(said_before(), flush=True)
    # -I: the host puts its own folder on the path. pip's own variables (proxies, mirrors, wheels) stay.
    if not _runs([sys.executable, "-I", "-m", "venv", "--clear", str(FOLDER)]):
        print(f"{sys.executable} could not make a Python environment in {FOLDER}; the lines above say why.")
        return 2
    constraints = ("-c", str(ROOT / "constraints.txt"))
    if not _runs([str(_python()), "-I", "-m", "pip", "install", *constraints, *_index(), *_needed()]):
        print(offline())
        return 2
    _MARK.write_text(_digest(), encoding="utf-8")
    print("OWF's environment is ready.", flush=True)
    return 0


def _runs(command: list[str]) -> bool:
    """Return whether a command ends well; it is shown, and so is why it cannot begin."""
    print(" ".join(command), flush=True)
    try:
        return subprocess.run(command, env=_variables(), check=False).returncode == 0
    except OSError as error:
        print(f"{command[0]}: {error.strerror}.", flush=True)
        return False


def main(arguments: list[str]) -> int:
    """Return 0; for hosts that run it at their start: it says what is missing, and fetches only with --now."""
    if "--now" in arguments:
        return make()
    if not _is_webui():  # ComfyUI-Manager runs the same file, and its host needs none of this
        return 0
    if not python() and not _is_chosen():
        print(f"{said_before()}\n{how_to()}")
    return 0


def _is_webui() -> bool:
    try:
        return importlib.util.find_spec("launch") is not None and importlib.util.find_spec("modules") is not None
    except (ImportError, ValueError):
        return False


def _is_chosen() -> bool:
    """Return whether the host's settings name a Python already, where they lie as usual: beside the extensions."""
    try:
        chosen = json.loads((ROOT.parent.parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(chosen, dict) and bool(chosen.get("owf_python"))


def _python() -> Path:
    return FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _needed() -> list[str]:
    """Return what pip is to install: the project's own requirements, those of training included, without the project.

    The code itself runs from this folder, so an update of the extension needs no installation.
    """
    text, found = (ROOT / "pyproject.toml").read_text(encoding="utf-8"), []
    for section, key in (("[project]", "dependencies"), ("[project.optional-dependencies]", "train")):
        body = text.split(f"{section}\n", 1)[1].split(f"{key} = [", 1)[1].split("]", 1)[0]
        for line in body.splitlines():  # no tomllib before Python 3.11
            found += re.findall(r'"([^"]+)"', line.partition("#")[0])
    return found


def _index() -> list[str]:
    """Return where torch is looked for besides the package index: the host's own choice, if it made one."""
    chosen = os.environ.get("TORCH_INDEX_URL", "")
    return ["--extra-index-url", chosen] if chosen else []


def _variables() -> dict[str, str]:
    left_out = (
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "__PYVENV_LAUNCHER__",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_USER",
    )
    return {name: value for name, value in os.environ.items() if name not in left_out}


def _digest() -> str:
    """Return what changes when the environment is to be made anew."""
    made_from = "\n".join(_needed()).encode() + (ROOT / "constraints.txt").read_bytes()
    return hashlib.sha256(made_from).hexdigest()
