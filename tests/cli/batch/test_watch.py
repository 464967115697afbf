"""Watching a folder: what has come to rest is audited, once."""

import contextlib

import pytest
from owf.cli.audit import main
from owf.cli.batch import watch as module
from owf.cli.batch.watch import watch


class Ended(Exception):
    """Ends the test where the watch would sleep on."""


@pytest.fixture
def looks(monkeypatch, tmp_path):
    """Return a function that watches while steps are done between two looks, and returns what was audited."""
    monkeypatch.setattr(module.os, "nice", lambda more: None)

    def look_on(*steps, codes=()):
        waiting, codes, audited = list(steps), list(codes), []

        def sleep(seconds):
            assert seconds == 5.0
            if not waiting:
                raise Ended
            waiting.pop(0)()

        def audit(files):
            audited.append([file.name for file in files])
            return codes.pop(0) if codes else 1

        monkeypatch.setattr(module.time, "sleep", sleep)
        with contextlib.suppress(Ended):
            audited.append(watch(lambda: sorted(tmp_path.iterdir()), audit, 5.0))
        return audited

    return look_on


def nothing():
    """Let a look pass."""


def test_a_file_is_audited_once_when_it_has_been_as_it_is_for_a_look(looks, tmp_path):
    file = tmp_path / "a"
    steps = [lambda: file.write_text("half"), lambda: file.write_text("the whole of it"), nothing, nothing, nothing]
    assert looks(*steps) == [["a"]]


def test_what_is_new_is_audited_with_what_is_known(looks, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("a")
    assert looks(nothing, lambda: b.write_text("b"), nothing, nothing, nothing) == [["a"], ["a", "b"]]


def test_a_run_that_a_signal_stopped_ends_the_watch(looks, tmp_path):
    (tmp_path / "a").write_text("a")
    assert looks(nothing, nothing, codes=[143]) == [["a"], 143]


def test_a_file_that_never_rests_keeps_no_other_waiting(looks, tmp_path):
    (tmp_path / "a").write_text("a")
    grows = tmp_path / "z"
    steps = [lambda size=size: grows.write_text("x" * size) for size in range(1, 5)]
    assert looks(*steps) == [["a"]]


def test_a_watch_says_that_it_began_and_of_nothing_it_does_not_begin(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, "watch", lambda look, audit, every: len(look()))
    assert main(["watch", str(tmp_path)]) == 0
    assert capsys.readouterr().err == f"owf-audit: 0 LoRAs in {tmp_path}, which is watched.\n"
    assert main(["watch", str(tmp_path / "nothing")]) == 2


def test_a_folder_rests_when_the_files_in_it_do(looks, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    weights = folder / "adapter_model.safetensors"

    def grow():
        with weights.open("ab") as file:
            file.write(b"more")

    assert looks(grow, grow, grow) == []
    assert looks(grow, nothing, nothing, grow, nothing, nothing) == [["one"], ["one"]]
