"""`owf-audit` over several LoRAs: what is audited, under which name, and what the call ends with."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import ClassVar

import pytest
import report_samples as samples
from owf.cli import session as session_module
from owf.cli.audit import main
from owf.core import demo as demo_files
from owf.core.adapter import read_adapter
from owf.core.audit.session import Published
from owf.core.errors import InvalidError
from owf.core.render.html.html import write_html
from rich.console import Console


class FakeSession:
    """Writes the sample report instead of measuring."""

    made: ClassVar[list["FakeSession"]] = []
    stop_at = ""

    def __init__(self, options):
        self.console, self.audited, self.out = Console(width=4000), [], options.out
        FakeSession.made.append(self)

    def audit(self, adapter):
        if adapter.path.name == FakeSession.stop_at:
            raise KeyboardInterrupt
        self.audited.append(adapter.path)
        folder = self.out / f"{adapter.path.parent.name}-{adapter.path.stem}"
        folder.mkdir(parents=True)
        report = samples.report()
        return Published(report, folder, (write_html(report, folder),))


@pytest.fixture
def sessions(monkeypatch):
    monkeypatch.setattr(session_module, "Session", FakeSession)
    monkeypatch.setattr(FakeSession, "made", [])
    return FakeSession.made


def copies(folder: Path, *names: str) -> list[Path]:
    paths = [folder / f"{name}.safetensors" for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(demo_files.DEMO_LORAS[0].read_bytes())
    return paths


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("progress", ["none", "json"])
def test_every_file_over_all_loras_and_every_file_of_one_is_named(sessions, tmp_path, capsys, count, progress):
    loras = copies(tmp_path / "loras", *"ab"[:count])
    out = tmp_path / "out"
    assert run(tmp_path / "loras", "--out", out, "--write", "html,csv", "--progress", progress) == 1
    expected = {
        str(path) for path in (*out.glob("*.csv"), *(out.glob("*.html") if count > 1 else out.glob("*/*.html")))
    }
    lines = capsys.readouterr().out.splitlines()
    assert len(expected) == 2
    if progress == "json":
        last = json.loads(lines[-1])
        assert (last["event"], set(last["pages"])) == ("report" if count == 1 else "overview", expected)
    else:
        assert expected <= set(lines)
    (table,) = out.glob("*.csv")
    assert [row["lora"] for row in csv.DictReader(table.read_text().splitlines())] == [path.name for path in loras]


def demo(monkeypatch, tmp_path, *promised: str) -> tuple[Path, ...]:
    """Let the demo audit copies whose verdict, with this session, is that of the sample report: DRIFT."""
    loras = tuple(copies(tmp_path, *(f"lora{i}" for i in range(len(promised)))))
    monkeypatch.setattr(demo_files, "DEMO_LORAS", loras)
    monkeypatch.setattr(demo_files, "DEMO_VERDICTS", dict(zip(loras, promised, strict=True)))
    return loras


def test_the_demo_audits_every_lora_that_ships_in_one_session(sessions, monkeypatch, tmp_path, capsys):
    loras = demo(monkeypatch, tmp_path, "DRIFT", "DRIFT")
    assert run("--demo", "--out", tmp_path / "out", "--progress", "none") == 0
    (session,) = sessions
    assert session.audited == list(loras)
    (page,) = (tmp_path / "out").glob("overview-*.html")
    assert "2 LoRAs side by side" in page.read_text()
    assert page.name in capsys.readouterr().out


@pytest.mark.parametrize("promised", [("DRIFT", "PASS"), ("INVALID", "DRIFT"), ("PASS", "PASS")])
def test_a_demo_that_shows_something_else_says_so(sessions, monkeypatch, tmp_path, capsys, promised):
    demo(monkeypatch, tmp_path, *promised)
    assert run("--demo", "--out", tmp_path / "out", "--progress", "none") == 1
    err = capsys.readouterr().err
    for i, verdict in enumerate(promised):
        assert (f"lora{i}.safetensors is DRIFT, not {verdict}" in err) == (verdict != "DRIFT")


def test_a_demo_that_cannot_be_audited_ends_with_the_ordinary_code(sessions, monkeypatch, tmp_path, capsys):
    def refuse(self, adapter):
        raise InvalidError("made for another base")

    monkeypatch.setattr(FakeSession, "audit", refuse)
    demo(monkeypatch, tmp_path, "DRIFT", "PASS")
    assert run("--demo", "--out", tmp_path / "out", "--progress", "json") == 4
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("error", 4)
    assert "is INVALID, not PASS" in last["message"]


def test_a_demo_whose_every_lora_passes_does_not_end_well(sessions, monkeypatch, tmp_path, capsys):
    drifting = samples.report()
    verdict = dataclasses.replace(drifting.verdict, decision="PASS")
    passing = dataclasses.replace(drifting, verdict=verdict)
    monkeypatch.setattr(FakeSession, "audit", lambda self, adapter: Published(passing, self.out, ()))
    demo(monkeypatch, tmp_path, "DRIFT", "PASS")
    assert run("--demo", "--out", tmp_path, "--progress", "none") == 1
    assert "lora0.safetensors is PASS, not DRIFT" in capsys.readouterr().err


def test_the_demo_loras_are_there():
    assert sorted(demo_files.DEMO_VERDICTS.values()) == ["DRIFT", "PASS"]
    assert all(path.is_file() for path in demo_files.DEMO_LORAS)


def test_a_file_named_twice_is_audited_once_and_one_lora_makes_no_overview(sessions, tmp_path):
    (lora,) = copies(tmp_path / "loras", "a")
    assert run(lora, lora, lora.parent, "--out", tmp_path / "out", "--progress", "json") == 1
    assert sessions[0].audited == [lora]
    assert not list((tmp_path / "out").glob("overview-*"))


def test_files_of_one_name_are_told_apart_by_their_folder(sessions, tmp_path, capsys):
    copies(tmp_path / "loras", "x/last", "y/last", "z")
    run(tmp_path / "loras", "--out", tmp_path / "out", "--progress", "json")
    out = capsys.readouterr().out
    assert all(f'"lora": "{name}.safetensors"' in out for name in ("x/last", "y/last", "z"))


def test_two_calls_into_one_folder_have_a_page_each(sessions, tmp_path):
    a, b, c = copies(tmp_path / "loras", "a", "b", "c")
    for loras in ([a, b], [b, c]):
        folder = tmp_path / "out"
        run(*loras, "--out", folder, "--progress", "none")
        for report in folder.glob("loras-*"):
            report.rename(tmp_path / f"{len(list(tmp_path.iterdir()))}")  # the fake makes each folder anew
    assert len(list((tmp_path / "out").glob("overview-*.html"))) == 2


def test_an_interrupted_call_has_a_page_of_what_it_did(sessions, monkeypatch, tmp_path):
    loras = copies(tmp_path / "loras", "a", "b", "c")
    monkeypatch.setattr(FakeSession, "stop_at", "c.safetensors")
    assert run(*loras, "--out", tmp_path / "out", "--progress", "none") == 130
    (page,) = (tmp_path / "out").glob("overview-*.html")
    assert "2 LoRAs side by side" in page.read_text()


def test_a_call_without_any_report_still_says_why(sessions, monkeypatch, tmp_path, capsys):
    def refuse(self, adapter):
        raise InvalidError("made for another base")

    monkeypatch.setattr(FakeSession, "audit", refuse)
    assert run(*copies(tmp_path, "a", "b"), "--out", tmp_path / "out", "--progress", "none") == 4
    (page,) = (tmp_path / "out").glob("overview-*.html")
    assert page.read_text().count("made for another base") == 2
    assert capsys.readouterr().out.count("made for another base") == 2


def test_a_folder_is_scanned_and_what_is_left_out_is_said(sessions, tmp_path, capsys):
    copies(tmp_path / "drive", "linked")
    (upper,) = copies(tmp_path / "loras", "upper")
    upper.rename(upper.with_name("UPPER.SAFETENSORS"))
    (tmp_path / "loras" / "styles").symlink_to(tmp_path / "drive")
    for name in ("._UPPER.SAFETENSORS", "old.pt"):
        (tmp_path / "loras" / name).write_bytes(b"\0\5\x16\7")
    assert run(tmp_path / "loras", "--out", tmp_path / "out", "--progress", "json") == 1
    assert [path.name for path in sessions[0].audited] == ["UPPER.SAFETENSORS", "linked.safetensors"]
    assert "old.pt (a pickle" in capsys.readouterr().err


def test_a_file_that_cannot_be_opened_does_not_end_the_run(sessions, monkeypatch, tmp_path, capsys):
    a, b = copies(tmp_path, "a", "b")

    def read(file, **_):
        if file == a:
            raise PermissionError(13, "Permission denied")
        return read_adapter(file)

    monkeypatch.setattr("owf.core.adapter.read_adapter", read)
    assert run(a, b, "--out", tmp_path / "out", "--progress", "none") == 1  # that of the other
    assert [path.name for path in sessions[0].audited] == ["b.safetensors"]
    assert "a.safetensors: cannot be opened: Permission denied" in capsys.readouterr().out


def test_the_name_of_a_refused_file_stands_once_on_the_page(tmp_path, sessions, capsys):
    good, bad = copies(tmp_path, "good", "bad")
    bad.write_bytes(b"")
    run(good, bad, "--out", tmp_path / "out")
    (page,) = (file.read_text() for file in (tmp_path / "out").glob("overview-*.html"))
    assert page.count("bad.safetensors") == 1
    assert "an empty file of 0 bytes" in page
    assert capsys.readouterr().out.count("bad.safetensors") == 1
