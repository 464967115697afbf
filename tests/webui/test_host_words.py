"""Requests, credentials and cards, without a host: what it has is set here."""

import base64
import json
import sys
import types

import pytest
from owf.core.verdict.report import write_report
from owf.webui import cards, host, request, start, view
from owf.webui.api import is_allowed
from owf.webui.host import Refusal, Settings
from owf.webui.jobs.job import Command, Job, Verdict
from owf.webui.request import AuditAsk, TrainAsk
from report_samples import report

REAL_LORAS = host.loras


@pytest.fixture(autouse=True)
def fake_host(monkeypatch, tmp_path):
    """A host with one checkpoint and two LoRAs."""
    (tmp_path / "Lora").mkdir()
    for name in "ab":
        (tmp_path / "Lora" / f"{name}.safetensors").touch()
    listed = {name: tmp_path / "Lora" / f"{name}.safetensors" for name in "ab"}
    monkeypatch.setattr(host, "settings", lambda: Settings("python", "", host.BUILT_IN, "auto", True))
    monkeypatch.setattr(host, "checkpoints", lambda: {"base": tmp_path / "base.safetensors"})
    monkeypatch.setitem(
        sys.modules, "modules", types.SimpleNamespace(sd_models=types.SimpleNamespace(checkpoint_aliases={}))
    )
    monkeypatch.setattr(host, "loras", lambda: listed)
    monkeypatch.setattr(host, "data_folder", lambda: tmp_path / "owf")
    monkeypatch.setattr(host, "lora_folder", lambda: tmp_path / "Lora")
    monkeypatch.setattr(host, "is_open_to_others", lambda: False)
    return tmp_path


def header(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (header(b"me:secret"), True),
        (header(b"you:a:b").replace("Basic", "basic"), True),
        (header(b"me:wrong"), False),
        (header(b"nocolon"), False),
        (header(b"me"), False),
        (header(b""), False),
        (header(b"\xff\xfe"), False),
        ("Basic ===", False),
        ("Basic", False),
        ("Bearer me:secret", False),
        ("", False),
        (None, False),
    ],
)
def test_credentials_are_a_name_and_its_password(given, allowed):
    assert is_allowed(given, "me:secret,you:a:b,nocolon") is allowed
    assert is_allowed(given, "nocolon") is False
    assert is_allowed(given, None) and is_allowed(given, "")


def test_an_audit_is_one_command_a_strength_over_all_loras(fake_host):
    job = AuditAsk("base", ("a", "b", "a"), (0.5, 1.0, 0.5)).job()
    assert [command.strength for command in job.commands] == [0.5, 1.0]
    first = job.commands[0]
    assert first.loras == ("a", "b") and first.arguments[0] == "audit"
    assert first.arguments[-2:] == tuple(str(fake_host / "Lora" / f"{name}.safetensors") for name in "ab")
    assert {"--strength=0.5", f"--base={fake_host / 'base.safetensors'}", "--progress=json"} <= set(first.arguments)


def test_the_command_line_knows_every_option_that_is_given(fake_host):
    from owf.cli.arguments.arguments import parser as audit_parser
    from owf.cli.training.arguments import parser as train_parser

    (fake_host / "owf" / "policies").mkdir(parents=True)
    (fake_host / "owf" / "policies" / "mine.toml").touch()
    audit_parser().parse_args(AuditAsk("base", ("a",), (-1.0,), policy="mine").job().commands[0].arguments[1:])
    ask = TrainAsk("base", fake_host, (), "new", "--demo-base", "-x", "quick", 10, ("dc",), 2.0, 0.005, 5)
    given = vars(train_parser().parse_args(ask.job().commands[0].arguments[1:]))
    assert (given["trigger"], given["class_word"], given["pictures"]) == ("--demo-base", "-x", str(fake_host))
    assert "demo_base" not in given and given["dc_control"] == "fixed" and given["drift_budget"] == 0.005


def test_uploads_keep_nothing_of_their_path(fake_host, tmp_path):
    odd = tmp_path / "..  %2e; rm -rf.PNG"
    odd.write_bytes(b"1")
    ask = TrainAsk("base", None, (odd, odd), "new", "sks", "bag")
    job = ask.job()
    folder = fake_host / "owf" / "training" / "new" / "pictures"
    assert job.commands[0].arguments[-1] == str(folder)
    ask.begin(job)
    assert sorted(path.name for path in folder.iterdir()) == ["000-2e_rm_-rf.png", "001-2e_rm_-rf.png"]


def test_a_host_that_is_open_to_others_reads_no_folder_they_name(fake_host, monkeypatch):
    monkeypatch.setattr(host, "is_open_to_others", lambda: True)
    with pytest.raises(Refusal, match="upload"):
        TrainAsk("base", fake_host, (), "new", "sks", "bag").job()


def test_several_verdicts_have_the_hosts_names():
    job = Job("audit", "two", (Command(("audit",), ("host name", "other")),))
    for file, decision in (("a.safetensors", "PASS"), ("b.safetensors", "DRIFT")):
        event = {"event": "verdict", "lora": file, "verdict": decision, "folder": None}
        job.take(event, job.commands[0])
    assert [(v.lora, v.decision) for v in job.verdicts] == [("host name", "PASS"), ("other", "DRIFT")]


def test_numbers_of_any_size_are_shown():
    job = Job("train", "odd", (Command(("train",)),))
    huge = 10**400
    for rows, eta in ((huge, huge), (-huge, float("nan")), (1, float("inf")), (1, -1)):
        job.take({"event": "stage", "stage": "", "rows": rows, "total": huge, "eta_seconds": eta}, job.commands[0])
        assert 0 <= job.share <= 1 and job.eta_seconds is None
    step = {"event": "step", "stage": "", "rows": 1, "total": 1, "eta_seconds": None, "drift": float("nan")}
    for number, loss in ((1, float("nan")), (2, float("inf")), (3, huge), (huge, 1.0), (4, 0.0), (5, -1.0)):
        job.take({**step, "step": number, "steps": 5, "smoothed_loss": loss}, job.commands[0])
    assert [s["step"] for s in job.steps] == [1, 2, 3, 4, 5]
    assert "nan" not in view.status(job) and json.dumps(job.plain(), allow_nan=False)


def test_a_curve_is_drawn_from_two_points_on():
    job = Job("train", "new", (Command(("train",)),))
    step = {"event": "step", "stage": "", "rows": 1, "total": 1, "eta_seconds": None, "steps": 2, "smoothed_loss": 1.0}
    for number, drift, lines in ((1, 0.5, 0), (2, None, 1)):
        job.take({**step, "step": number, "drift": drift}, job.commands[0])
        shown = view.curves(job)
        assert shown.count("<polyline") == shown.count("<svg") == lines and "Drift on held-out prompts: 0.5" in shown


class TestCards:
    """The verdict beside a LoRA."""

    def write(self, folder, verdict="DRIFT"):
        cards.write(folder / "Lora" / "a.safetensors", [Verdict("a", 1.0, verdict, None)])
        return folder / "Lora" / "a.json"

    def test_the_hosts_notes_stay_as_they_are(self, fake_host):
        path = fake_host / "Lora" / "a.json"
        path.write_text(json.dumps({"notes": "ü", "description": "mine\nOWF: PASS on x, strength 1\nmore"}))
        for _ in range(2):
            self.write(fake_host)
        data = json.loads(path.read_text())
        assert data == {"notes": "ü", "description": "mine\nmore\nOWF: DRIFT, strength 1"}

    @pytest.mark.parametrize("content", ["{", "[]", '{"description": 1}', "[" * 100_000])
    def test_a_file_that_is_not_understood_is_not_written(self, fake_host, content):
        path = fake_host / "Lora" / "a.json"
        path.write_text(content)
        self.write(fake_host)
        assert path.read_text() == content

    def test_a_text_that_the_host_shows_is_not_hidden(self, fake_host):
        (fake_host / "Lora" / "a.txt").write_text("mine")
        assert not self.write(fake_host).exists()
        assert json.loads((fake_host / "Lora" / "a.owf.json").read_text())["verdict"] == "DRIFT"

    def test_of_several_strengths_the_card_tells_the_one_nearest_to_1(self, fake_host):
        job = Job("audit", "a", ())
        job.verdicts += [Verdict("a", s, v, None) for s, v in ((0.5, "PASS"), (1.0, "DRIFT"), (2.0, "DRIFT"))]
        cards.write_all(job)
        assert json.loads((fake_host / "Lora" / "a.json").read_text())["description"] == "OWF: DRIFT, strength 1"
        audits = json.loads((fake_host / "Lora" / "a.owf.json").read_text())["audits"]
        assert [(audit["strength"], audit["verdict"]) for audit in audits] == [
            (0.5, "PASS"), (1.0, "DRIFT"), (2.0, "DRIFT"),
        ]  # fmt: skip

    def test_a_folder_that_cannot_be_written_costs_the_card_only(self, fake_host, monkeypatch):
        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(cards, "write_text", refuse)
        job = Job("audit", "a", ())
        job.verdicts.append(Verdict("a", 1.0, "PASS", None))
        cards.write_all(job)
        assert "Permission denied" in job.log[0]


HOSTILE = "</div><script>alert(1)</script>\u202e\x1b[31m"


def test_what_strangers_wrote_is_text():
    job = Job("audit", HOSTILE, (), message=HOSTILE, stage=HOSTILE)
    job.state = "failed"
    job.say(HOSTILE)
    shown = view.status(job) + view.note(HOSTILE) + view.inspected({"file": HOSTILE, "error": HOSTILE})
    shown += view.inspected({"trigger_words": [HOSTILE], "hashes": {HOSTILE: HOSTILE}})
    assert "<script" not in shown and "\u202e" not in shown and "\x1b" not in shown


def test_a_hostile_report_is_text_too():
    from report_samples import hostile_report

    shown = view.report_html(hostile_report())
    assert "<script" not in shown and "\u202e" not in shown and "<img" not in shown


def test_pictures_and_pages_outside_are_not_shown(fake_host, tmp_path):
    from dataclasses import replace

    from owf.core.verdict.report import ImagePair

    folder = fake_host / "owf" / "reports" / "x"
    folder.mkdir(parents=True)
    (tmp_path / "secret.png").touch()
    found = replace(report(), pairs=(ImagePair("p", 0, 1.0, "../../../secret.png", str(tmp_path / "secret.png")),))
    write_report(found, folder / "report.json")
    assert view.gallery(found, folder) == []
    (folder / "report.html").symlink_to(tmp_path / "secret.png")
    assert view.page(folder) == "<p>This audit has no HTML report.</p>"


def test_names_of_no_list_are_refused_with_the_name():
    for ask in (AuditAsk("x", ("a",)), AuditAsk("base", ("../a",)), AuditAsk("base", ("a",), preset="x")):
        with pytest.raises(Refusal):
            ask.job()
    with pytest.raises(Refusal, match="JSON object"):
        AuditAsk.read([])
    assert request.MOST_LORAS * 300 < 32_000  # what a command of Windows may have


@pytest.mark.parametrize("strength", [10**400, -(10**4000), float("nan"), float("inf"), 11, True, "1"])
def test_a_strength_of_any_size_is_refused_in_a_sentence(strength):
    with pytest.raises(Refusal, match="strengths: numbers"):
        AuditAsk.read({"checkpoint": "base", "loras": ["a"], "strengths": [strength]})


def test_a_file_under_two_names_is_one_audit(fake_host, monkeypatch):
    path = fake_host / "Lora" / "a.safetensors"
    monkeypatch.setattr(host, "loras", lambda: {"x": path, "y": path, "b": fake_host / "Lora" / "b.safetensors"})
    (command,) = AuditAsk("base", ("b", "y", "x")).job().commands
    assert command.loras == ("b", "y")
    assert command.arguments[-2:] == (str(fake_host / "Lora" / "b.safetensors"), str(path))


def test_names_that_no_page_can_show_are_not_listed(monkeypatch):
    networks = types.ModuleType("networks")
    networks.available_networks = {
        name: types.SimpleNamespace(filename=f"/Lora/{name}.safetensors") for name in ("good", "b\udce4d", "n\0l")
    }
    monkeypatch.setitem(sys.modules, "networks", networks)
    assert list(REAL_LORAS()) == ["good"]


def test_what_a_job_says_is_json_whatever_the_child_wrote():
    job = Job("audit", "\ud800", (Command(("audit",), ("a",)),), message="\udcff", stage="\ud800")
    job.take({"event": "verdict", "lora": "x", "verdict": "PASS", "folder": "/\udcff"}, job.commands[0])
    json.dumps(job.plain(), ensure_ascii=False, allow_nan=False).encode()


def test_pictures_of_a_training_that_runs_are_not_touched_by_another_that_is_refused(fake_host, tmp_path):
    picture = tmp_path / "p.png"
    picture.write_bytes(b"1")
    ask = TrainAsk("base", None, (picture,), "new", "sks", "bag")
    ask.begin(ask.job())
    (kept,) = (ask.folder / "pictures").iterdir()
    before = kept.stat().st_ino
    ask.job()  # what a second click asks for, before it hears that another job runs
    assert kept.stat().st_ino == before


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_trigger_that_no_process_can_be_given_is_refused(fake_host, text):
    for words in ((text, "bag"), ("sks", text)):
        with pytest.raises(Refusal, match="characters"):
            TrainAsk("base", fake_host, (), "new", *words).job()


def test_a_lora_is_put_into_the_hosts_folder_whole_or_not_at_all(fake_host, monkeypatch):
    monkeypatch.setattr(host, "refresh_loras", lambda: None)
    ask = TrainAsk("base", fake_host, (), "new", "sks", "bag")
    ask.folder.mkdir(parents=True)
    (ask.folder / "new.safetensors").write_bytes(b"a LoRA")
    before = sorted(path.name for path in ask.lora.parent.iterdir())

    def full(source, target):
        target.write(b"half")
        raise OSError(28, "No space left on device")

    job = ask.job()
    with monkeypatch.context() as broken:
        broken.setattr(request.shutil, "copyfileobj", full)
        with pytest.raises(OSError, match="No space"):
            ask.finish(job)
    assert sorted(path.name for path in ask.lora.parent.iterdir()) == before
    ask.finish(job)
    assert ask.lora.read_bytes() == b"a LoRA"
    (ask.folder / "new.safetensors").write_bytes(b"another")
    with pytest.raises(FileExistsError):
        ask.finish(job)
    assert ask.lora.read_bytes() == b"a LoRA"


def test_where_nobody_may_install_extensions_nobody_prepares_either(monkeypatch):
    monkeypatch.setattr(host, "may_install", lambda: False)
    with pytest.raises(Refusal, match="--now"):
        start.prepare()
