"""`owf-audit` over several LoRAs: what is audited, under which name, and what the call ends with."""

import csv
import dataclasses
import hashlib
import itertools
import json
from pathlib import Path
from typing import ClassVar

import pytest
import report_samples as samples
from owf.cli import session as session_module
from owf.cli.arguments.arguments import parser
from owf.cli.audit import main
from owf.cli.batch import many
from owf.cli.batch.asked import asked
from owf.core import demo as demo_files
from owf.core.adapter import read_adapter
from owf.core.audit.session import Published
from owf.core.batch.rows import ask_digest
from owf.core.disk.digests import Digests
from owf.core.disk.lock import only_one
from owf.core.errors import InvalidError
from owf.core.ledger.ledger import Ledger
from owf.core.render.html.html import write_html
from owf.core.verdict.report import read_report
from rich.console import Console


class FakeSession:
    """Writes the sample report instead of measuring."""

    made: ClassVar[list["FakeSession"]] = []
    stop_at = ""

    def __init__(self, options):
        self.console, self.audited, self.out = Console(width=4000), [], options.out
        FakeSession.made.append(self)

    def audit(self, adapter, strength=1.0):
        if adapter.path.name == FakeSession.stop_at:
            raise KeyboardInterrupt
        self.audited.append(adapter.path)
        folder = self.out / f"{adapter.path.parent.name}-{adapter.path.stem}"
        folder.mkdir(parents=True, exist_ok=True)
        report = samples.report()
        return Published(report, folder, (write_html(report, folder),))


@pytest.fixture
def sessions(monkeypatch, tmp_path):
    monkeypatch.setattr(session_module, "Session", FakeSession)
    monkeypatch.setattr(FakeSession, "made", [])
    monkeypatch.setenv("OWF_CACHE", str(tmp_path / "cache"))
    return FakeSession.made


def copies(folder: Path, *names: str) -> list[Path]:
    paths = [folder / f"{name}.safetensors" for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(demo_lora(next(NUMBERS)))
    return paths


NUMBERS = itertools.count(1)


def demo_lora(number: int) -> bytes:
    """Return the demo's LoRA with spaces behind its header: the same LoRA, and another file."""
    content, spaces = demo_files.DEMO_LORAS[0].read_bytes(), b" " * 8 * number
    length = int.from_bytes(content[:8], "little")
    return (length + len(spaces)).to_bytes(8, "little") + content[8 : 8 + length] + spaces + content[8 + length :]


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--workers", "0"])  # a fake in this process


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
    def refuse(self, adapter, strength=1.0):
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
    monkeypatch.setattr(FakeSession, "audit", lambda self, adapter, strength=1.0: Published(passing, self.out, ()))
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
    def refuse(self, adapter, strength=1.0):
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


def test_the_same_command_again_audits_what_is_new(sessions, tmp_path, capsys):
    a, b = copies(tmp_path / "loras", "a", "b")
    out = tmp_path / "out"
    assert run(a.parent, "--out", out, "--progress", "json") == 1
    (c,) = copies(tmp_path / "loras", "c")
    assert run(a.parent, "--out", out, "--progress", "json") == 1
    assert [session.audited for session in sessions] == [[a, b], [c]]
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["lora"] for line in said if line["event"] == "verdict"][2:] == [p.name for p in (a, b, c)]
    assert len(list(csv.DictReader((out / "results.csv").read_text().splitlines()))) == 3
    assert (out / "leaderboard.html").is_file()


def test_two_runs_in_one_folder_are_refused(sessions, tmp_path, capsys):
    loras = copies(tmp_path / "loras", "a", "b")
    (tmp_path / "out").mkdir()
    with only_one(tmp_path / "out", many.LOCK):
        assert run(*loras, "--out", tmp_path / "out") == 2
    assert "Another run" in capsys.readouterr().err
    assert not (tmp_path / "out" / "ledger.sqlite").exists()


def test_an_output_folder_that_cannot_be_written_is_said_before_the_work(sessions, tmp_path, capsys):
    loras = copies(tmp_path / "loras", "a", "b")
    (tmp_path / "file").touch()
    assert run(*loras, "--out", tmp_path / "file" / "out") == 2
    assert "(--out)" in capsys.readouterr().err
    assert sessions == []


def test_parts_are_disjoint_and_together_are_the_whole(sessions, tmp_path, capsys):
    loras = copies(tmp_path / "loras", *"abcdefghij")
    out = tmp_path / "out"
    for part in (1, 2, 3):
        run(tmp_path / "loras", "--out", out, "--shard", f"{part}/3", "--progress", "none")
    done = [path for session in sessions for path in session.audited]
    assert sorted(done) == loras
    assert len(sessions[0].audited) < 10
    assert main(["merge", *(str(out / f"part-{i}-of-3") for i in (1, 2, 3)), "--out", str(out)]) == 0
    assert main(["merge", *(str(out / f"part-{i}-of-3") for i in (1, 2, 3)), "--out", str(out)]) == 0
    with Ledger(out / "ledger.sqlite", writes=False) as ledger:
        rows = list(ledger.rows())
    assert sorted(row.name for row in rows) == [path.name for path in loras]
    assert all((out / row.folder / "report.html").is_file() for row in rows)
    made = len(sessions)
    run(tmp_path / "loras", "--out", out, "--progress", "none")
    assert [session.audited for session in sessions[made:]] == [[]]


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0"])
def test_a_part_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        run("x.safetensors", "--shard", text)
    assert "--shard" in capsys.readouterr().err


def test_history_says_what_was_audited(sessions, tmp_path, capsys):
    copies(tmp_path / "loras", "a", "b")
    run(tmp_path / "loras", "--out", tmp_path / "out", "--progress", "none")
    capsys.readouterr()
    assert main(["history", str(tmp_path / "out"), "--lora", "b.safe"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "DRIFT" in line and "b.safetensors (strength 1, on owf demo base, quick, default)" in line
    assert main(["history", str(tmp_path / "out" / "ledger.sqlite"), "--json"]) == 0
    data = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["name"] for row in data} == {"a.safetensors", "b.safetensors"}
    assert all(number["value"] is not None for row in data for number in row["numbers"])


def test_rejudging_needs_no_session_and_writes_reports_anew(sessions, tmp_path, capsys):
    copies(tmp_path / "loras", "a", "b")
    out, mild = tmp_path / "out", tmp_path / "mild.toml"
    run(tmp_path / "loras", "--out", out, "--progress", "none")
    mild.write_text('[[limit]]\nmetric = "color"\nestimate = "cdi"\nlimit = 1000.0\n')
    capsys.readouterr()
    assert main(["rejudge", str(out), "--policy", str(mild)]) == 0
    assert capsys.readouterr().out.count("DRIFT -> PASS") == 2
    assert main(["rejudge", str(out), "--policy", str(mild)]) == 0
    assert "->" not in capsys.readouterr().out
    for report in out.glob("*/report.json"):
        assert read_report(report).verdict.policy == "mild"
    assert run(tmp_path / "loras", "--out", out, "--policy", mild, "--progress", "none") == 0
    assert [len(session.audited) for session in sessions] == [2, 0]


def test_a_file_over_a_run_that_is_asked_for_is_written_of_one_lora_too(sessions, tmp_path):
    (lora,) = copies(tmp_path / "loras", "a")
    assert run(lora, "--out", tmp_path / "out", "--write", "json,junit", "--progress", "none") == 1
    assert 'tests="1" failures="1"' in (tmp_path / "out" / "junit.xml").read_text()


def test_a_part_without_a_lora_is_said_and_does_not_fail(sessions, tmp_path, capsys):
    copies(tmp_path / "loras", "a")
    codes = [run(tmp_path / "loras", "--out", tmp_path / "out", "--shard", f"{part}/2") for part in (1, 2)]
    assert sorted(codes) == [0, 1]
    assert f"Part {codes.index(0) + 1} of 2 has none of the 1 LoRA." in capsys.readouterr().err
    assert main(["merge", *map(str, (tmp_path / "out").glob("part-*")), "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{loras}", "--workers", "0", "--time-limit", "9"], "leave out --time-limit, or --workers 0"),
        (["--demo", "--time-limit", "9"], "leave out --time-limit, or --demo"),
        (["watch", "{loras}", "--dry-run"], "leave out --dry-run"),
        (["watch", "{loras}", "--demo"], "leave out --demo"),
    ],
)
def test_what_would_be_passed_over_is_refused(sessions, tmp_path, capsys, arguments, words):
    copies(tmp_path / "loras", "a")
    assert main([a.format(loras=tmp_path / "loras") for a in arguments]) == 2
    assert words in capsys.readouterr().err
    assert sessions == []


@pytest.mark.parametrize("command", [["history"], ["rejudge", "--policy", "{policy}"], ["merge", "--out", "{out}"]])
def test_a_folder_without_a_ledger_is_a_usage_error(command, tmp_path, capsys):
    (tmp_path / "p.toml").write_text('[[limit]]\nmetric = "color"\nestimate = "cdi"\nlimit = 1.0\n')
    places = {"policy": tmp_path / "p.toml", "out": tmp_path / "out"}
    assert main([command[0], str(tmp_path), *(a.format(**places) for a in command[1:])]) == 2
    assert "there is no ledger" in capsys.readouterr().err
    assert not places["out"].exists()


def test_one_run_alone_is_not_compared(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["compare", str(tmp_path)])
    assert "arguments are required" in capsys.readouterr().err


def test_a_folder_called_like_a_command_is_audited(sessions, monkeypatch, tmp_path):
    copies(tmp_path / "history", "a", "b")
    monkeypatch.chdir(tmp_path)
    assert run("history", "--out", "out", "--progress", "none") == 1


def test_a_stack_has_rows_of_its_own(sessions, tmp_path, capsys):
    a, b = copies(tmp_path / "loras", "a", "b")
    (other,) = copies(tmp_path / "more", "other")
    out = tmp_path / "out"
    for extra in ((), ("--with", f"{other}:0.6"), ("--with", f"{other}:0.6"), ("--with", other)):
        run(a, b, "--out", out, *extra, "--progress", "none")
    assert [len(session.audited) for session in sessions] == [2, 2, 0, 2]
    with Ledger(out / "ledger.sqlite", writes=False) as ledger:
        stacks = [row.stack for row in ledger.rows()]
    digits = hashlib.sha256(other.read_bytes()).hexdigest()[:10]
    assert stacks == ["", "", f"{digits}@0.6", f"{digits}@0.6", f"{digits}@1", f"{digits}@1"]
    assert f"a.safetensors + {digits}@0.6" in (out / "leaderboard.html").read_text().replace("\\u002b", "+")


def test_what_is_below_must_be_there_and_leaves_no_note(sessions, tmp_path, capsys):
    loras = copies(tmp_path / "loras", "a", "b")
    assert run(*loras, "--out", tmp_path / "out", "--with", tmp_path / "gone.safetensors:0.6") == 2
    said = capsys.readouterr().err
    assert "gone.safetensors" in said and "(--with)" in said
    assert run(*loras, "--out", tmp_path / "out", "--with", loras[0], "--beside", "note") == 2
    assert sessions == []


@pytest.mark.parametrize("strength", ["nan", "inf", "-1e999"])
def test_a_stack_of_no_strength_is_refused(strength, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["a.safetensors", "--with", f"b.safetensors:{strength}"])
    assert "argument --with: must end in a finite strength" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "file", "strength"),
    [("a.safetensors:0.6", "a.safetensors", 0.6), ("a", "a", 1.0), ("a:-1", "a", -1.0), (r"C:\a", r"C:\a", 1.0)],
)
def test_a_stack_is_read_as_file_and_strength(text, file, strength):
    assert parser().parse_args(["x", "--with", text]).below == [(Path(file), strength)]


def test_a_note_beside_each_lora_says_what_it_came_to(sessions, tmp_path):
    loras = copies(tmp_path / "loras", "a", "b")
    loras[1].write_bytes(b"")
    run(*loras, "--out", tmp_path / "out", "--strengths", "0.5,1", "--beside", "note", "--progress", "none")
    good, bad = (json.loads((tmp_path / "loras" / f"{name}.owf.json").read_text()) for name in "ab")
    assert [(audit["strength"], audit["verdict"]) for audit in good["audits"]] == [(0.5, "DRIFT"), (1.0, "DRIFT")]
    assert "0 bytes" in bad["audits"][0]["reasons"][0]
    assert not (tmp_path / "loras" / "a.preview.png").exists()


def test_one_lora_gets_its_note_too(sessions, tmp_path):
    (lora,) = copies(tmp_path / "loras", "a")
    run(lora, "--out", tmp_path / "out", "--beside", "note", "--progress", "none")
    assert json.loads((tmp_path / "loras" / "a.owf.json").read_text())["verdict"] == "DRIFT"


def test_a_folder_that_cannot_be_written_costs_the_notes_only(sessions, monkeypatch, tmp_path, capsys):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "here")

    monkeypatch.setattr("owf.cli.beside.write_note", refuse)
    loras = copies(tmp_path / "loras", "a", "b")
    assert run(*loras, "--out", tmp_path / "out", "--beside", "note", "--progress", "none") == 1
    assert capsys.readouterr().err.count("Permission denied") == 1


def test_runs_are_compared(sessions, tmp_path, capsys):
    loras = copies(tmp_path / "loras", "a", "b")
    for out, files in (("one", loras), ("two", [*loras[:1], *copies(tmp_path / "more", "c")])):
        run(*files, "--out", tmp_path / out, "--progress", "none")
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "b.safetensors: DRIFT | not there",
        "c.safetensors: not there | DRIFT",
        "3 audits, 2 with different verdicts.",
    ]


@pytest.mark.parametrize(("fail_on", "code"), [("drift", 1), ("invalid,drift", 1), ("invalid", 0), ("inconclusive", 0)])
def test_the_exit_code_tells_the_verdicts_that_are_asked_for(sessions, tmp_path, fail_on, code):
    loras = copies(tmp_path / "loras", "a", "b")
    assert run(*loras, "--out", tmp_path / "out", "--fail-on", fail_on, "--progress", "none") == code


def test_a_pickle_that_was_refused_is_audited_once_it_is_trusted(sessions, tmp_path):
    import torch

    loras, pickle = copies(tmp_path / "loras", "a"), tmp_path / "b.pt"
    layer = "lora_unet_down_blocks_0_attentions_0_proj_in"
    torch.save({f"{layer}.lora_up.weight": torch.ones(4, 2), f"{layer}.lora_down.weight": torch.ones(2, 4)}, pickle)
    out = tmp_path / "out"
    for trust in ([], ["--allow-pickle"], ["--allow-pickle"]):
        run(*loras, pickle, "--out", out, *trust, "--progress", "none")
    assert [[path.name for path in session.audited] for session in sessions] == [["a.safetensors"], ["b.pt"], []]


@pytest.mark.parametrize("named", ["bases.sd15", "parts.z_image.vae"])
def test_a_configured_base_counts_by_its_content(named, monkeypatch, tmp_path):
    base, settings = tmp_path / "base.safetensors", tmp_path / "config.toml"
    settings.write_text(f'bases.sdxl = "{tmp_path}/gone.safetensors"\n{named} = "{base}"\n')
    monkeypatch.setenv("OWF_CONFIG", str(settings))
    digests, options, found = Digests(tmp_path / "cache"), parser().parse_args(["x"]), []
    for content in (b"one", b"two", b"one"):
        base.write_bytes(len(HEADER).to_bytes(8, "little") + HEADER + content)
        found.append(ask_digest(asked(options, digests)))
    assert found[0] == found[2] != found[1]


HEADER = b'{"w":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}'
