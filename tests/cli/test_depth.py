"""How deep a reader must go: from `main` to the verdict, and to the first forward pass, in frames of our own."""

import sys
from pathlib import Path

import pytest
from owf.cli.audit import main
from owf.core.audit import audit
from owf.core.demo import DEMO_BASE, DEMO_LORAS
from owf.core.model.backends.diffusers import DiffusersDenoiser

PACKAGE = Path(audit.__file__).parents[2]

INLINED = ("<listcomp>", "<dictcomp>", "<setcomp>")
"""What has a frame of its own before Python 3.12, and is no step for a reader."""


class Reached(KeyboardInterrupt):
    """Ends a run where it was to be followed to; a command takes it for Ctrl-C."""


def path_from_main() -> list[str]:
    """Return the names of our functions on the stack, `main` first."""
    found, frame = [], sys._getframe(2)  # without this function and the one that stands in for what was reached
    while frame is not None and "main" not in found:
        name = frame.f_code.co_name
        if PACKAGE in Path(frame.f_code.co_filename).parents and name not in INLINED:
            found.append(name)
        frame = frame.f_back
    return found[::-1]


@pytest.fixture
def follow(monkeypatch, tmp_path):
    """Return the path from `main` to a function that an audit of the demo's LoRA calls, that function among it."""

    def run(owner, name, progress):
        paths = []

        def reached(*args, **kwargs):
            paths.append([*path_from_main(), name])
            raise Reached

        monkeypatch.setattr(owner, name, reached)
        places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--progress", progress]
        places += ["--batch", "64"]  # one worker: the stack of another thread begins anew
        assert main([str(DEMO_LORAS[0]), "--base", str(DEMO_BASE), *places]) == 130
        assert paths[0][0] == "main"
        return paths[0]

    return run


def test_the_verdict_is_at_most_six_frames_from_main(follow, monkeypatch):
    monkeypatch.setattr(audit, "_gather", lambda *_: ({}, ""))
    monkeypatch.setattr(audit._Comparing, "measure", lambda *_: {})
    path = follow(audit, "judge", "none")
    assert len(path) <= 6, path


@pytest.mark.parametrize("progress", ["none", "json"])  # with progress, time and memory are estimated first
def test_the_first_forward_pass_is_at_most_twelve_frames_from_main(follow, progress):
    path = follow(DiffusersDenoiser, "predict", progress)
    assert len(path) <= 12, path
