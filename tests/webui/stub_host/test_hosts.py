"""The extension in a stub of its hosts, with both lines of gradio: what a click and a client of the API come to."""

import json
import os
import random
import signal
import string
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hosts import CHECKPOINT, LORA, PYTHONS, ROOT, Client, data, extensions

if not PYTHONS:
    pytest.skip("needs the gradio of webui hosts: .ci/webui-hosts makes it", allow_module_level=True)

KINDS = ("a1111", "forge")


def named(value):
    """Return what a test is called by: its environment, and its way to load scripts."""
    python, *kind = value if isinstance(value, tuple) else (value,)
    return "-".join([python.parent.parent.name, *kind])


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return extensions(tmp_path_factory.mktemp("extensions"))


@pytest.fixture(scope="module", params=[(python, kind) for python in PYTHONS for kind in KINDS], ids=named)
def host(request, installed, tmp_path_factory):
    python, kind = request.param
    client = Client(python, kind, installed, data(tmp_path_factory.mktemp("data")))
    client.kind = kind
    yield client
    client.close()


@pytest.fixture(autouse=True)
def quiet(request):
    yield
    if "host" in request.fixturenames:
        client = request.getfixturevalue("host")
        state = client.state()
        assert (state["job"], state["locked"]) == ("", False)
        assert "Traceback" not in (client.folder / "log").read_text()


def test_it_loads_beside_a_rival_and_brings_no_torch(host):
    state = host.state()
    assert not state["torch"]
    assert "owf.webui.tab" in state["modules"] and not {"cli", "nodes"} & set(state["modules"])
    assert not [name for name in state["modules"] if name.startswith(("owf.cli", "owf.nodes"))]
    assert state["bindings"] == ["txt2img"]


def test_it_registers_with_a_stack_of_known_modules(host):
    callers = host.state()["callers"]
    assert "register.py" in callers and "owf_webui.py" not in callers


def test_no_setting_can_be_set_through_the_hosts_own_api(host):
    restricted = host.state()["restricted"]
    assert {"owf_python", "owf_cache", "owf_policy", "owf_device"} <= set(restricted) and all(restricted.values())


def test_the_routes_are_in_the_hosts_documentation(host):
    paths = host.ask("/openapi.json").data["paths"]
    assert "/owf/v1/audit" in paths and "/owf/v1/jobs/{id}/cancel" in paths
    assert host.ask("/docs").status == 200


def test_an_audit_from_a_click_is_shown_and_its_host_is_as_it_was(host):
    host.behave("report")
    before = len(host.state()["moves"])
    (status,) = host.click("owf_audit", checkpoint=CHECKPOINT, loras=[LORA])
    assert 'data-owf-state="running"' in status
    host.until(lambda: 'data-owf-state="ended"' in host.click("owf_poll")[0])
    assert "done" in host.click("owf_poll")[0]
    moved = ["unload", "to device"] if host.kind == "a1111" else ["unload"]
    assert host.state()["moves"][before:] == moved

    table, choice = host.click("owf_show")
    assert table["data"] == [[LORA, "1", "DRIFT"]]
    report, pairs, prompts = host.click("owf_report_choice", "change", report_choice=choice["value"])
    assert "What was damaged" in report and "<table" in report and "<svg" in report and len(pairs) == 3
    (text,) = host.click("owf_prompt", "change", report_choice=choice["value"], prompt=_chosen(prompts))
    (sent,) = host.click("owf_send", infotext=text)
    prompt, plan = text.partition("\n")[0], host.ask(f"/owf/v1/jobs/{_id(status)}/report").data["plan"]
    assert "bag" in prompt and json.loads(sent) == {
        "Prompt": prompt,
        "Steps": str(plan["sampling_steps"]),
        "CFG scale": str(plan["guidance_scale"]),
        "Seed": "0",
    }
    (page,) = host.click("owf_open", report_choice=choice["value"])
    assert page.startswith('<iframe class="owf-page" sandbox="allow-scripts" srcdoc="')
    assert "OWF: DRIFT" in (host.folder / "Lora" / f"{LORA}.json").read_text()
    assert '"DRIFT"' in (host.folder / "Lora" / f"{LORA}.owf.json").read_text()


def _chosen(update):
    return update["value"]


def _id(status):
    return status.partition('data-owf-job="')[2].partition('"')[0]


def test_a_checkpoint_keeps_its_name_when_the_host_reads_it(host):
    host.behave("report")
    (host.folder / "Stable-diffusion" / "new.safetensors").write_bytes(b"")
    assert "new.safetensors" in _choices(host.click("owf_refresh")[0])
    host.ask("/stub/read", method="POST")
    for name in ("new.safetensors", "new", "new.safetensors [0123456789]"):
        assert host.ended(host.audit(checkpoint=name).data["id"])["state"] == "done"
    assert 'data-owf-state="running"' in host.click("owf_audit", checkpoint="new.safetensors", loras=[LORA])[0]
    host.until(lambda: 'data-owf-state="ended"' in host.click("owf_poll")[0])


def _choices(update):
    """Return what a list offers, in either gradio's words."""
    return [choice if isinstance(choice, str) else choice[0] for choice in update["choices"]]


def test_an_audit_from_the_api_is_the_same_job_as_the_tabs(host):
    host.behave("report")
    id = host.audit(strengths=[0.5, 1], preset="standard").data["id"]
    job = host.ended(id)
    assert (job["state"], [v["strength"] for v in job["verdicts"]]) == ("done", [0.5, 1.0])
    assert f'data-owf-job="{id}"' in host.click("owf_poll")[0]
    assert host.ask(f"/owf/v1/jobs/{id}/report").data["verdict"]["decision"]
    assert host.ask(f"/owf/v1/jobs/{id}/report?number=2").status == 404
    assert str(host.folder) not in host.ask(f"/owf/v1/jobs/{id}").text


def test_of_many_clients_at_once_one_gets_the_job(host, tmp_path):
    host.behave("hang", tmp_path / "mark")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: host.audit(), range(8)))
    assert sorted(answer.status for answer in answers) == [202] + [409] * 7
    (id,) = [answer.data["id"] for answer in answers if answer.status == 202]
    (refused,) = host.click("owf_audit", checkpoint=CHECKPOINT, loras=[LORA])
    assert "Another job is running" in refused and f'data-owf-job="{id}"' in refused
    host.click("owf_cancel")
    assert host.ended(id)["state"] == "cancelled"


def test_a_job_is_cancelled_by_the_api_by_the_hosts_button_and_by_a_kill(host, tmp_path):
    ends = {
        "cancelled": lambda id, pid: host.ask(f"/owf/v1/jobs/{id}/cancel", method="POST"),
        "cancelled ": lambda id, pid: host.ask("/stub/interrupt", method="POST"),
        "failed": lambda id, pid: os.kill(pid, signal.SIGKILL),
    }
    for number, (state, end) in enumerate(ends.items()):
        mark = tmp_path / f"mark{number}"
        host.behave("hang", mark)
        id = host.audit().data["id"]
        host.until(lambda mark=mark: mark.exists() and mark.read_text())
        end(id, int(mark.read_text()))
        job = host.ended(id)
        assert job["state"] == state.strip() and job["message"]


def test_a_job_outlives_a_reload_of_the_host(host, tmp_path):
    host.behave("hang", tmp_path / "mark")
    id = host.audit().data["id"]
    host.until((tmp_path / "mark").exists)
    before = host.state()["launches"]
    host.ask("/stub/reload", method="POST")
    host.until(lambda: _has_launched_since(host, before))
    assert host.job(id)["state"] == "running"
    assert f'data-owf-job="{id}"' in host.click("owf_poll")[0]
    host.click("owf_cancel")
    assert host.ended(id)["state"] == "cancelled"


def _has_launched_since(host, launches):
    try:
        return host.state().get("launches", 0) > launches  # while it restarts, another answers
    except OSError:  # nobody listens meanwhile
        return False


PATHS = [
    "../lora-a",
    "/etc/passwd",
    "lora-a.safetensors",
    "lora-a\0",
    "..\\lora-a",
    "",
    " lora-a",
    "--demo",
    "%2e%2e/x",
]


@pytest.mark.parametrize("name", PATHS)
def test_only_names_of_the_lists_are_taken(host, name):
    host.behave("report")
    for answer in (host.audit(loras=[name]), host.audit(checkpoint=name), host.audit(policy=name or "x")):
        assert answer.status == 400 and "detail" in answer.data
    assert "host lists no" in host.click("owf_audit", checkpoint=CHECKPOINT, loras=[name or "x"])[0]
    assert host.ask(f"/owf/v1/jobs/{urllib_quoted(name) or 'x'}").status == 404


def urllib_quoted(name):
    from urllib.parse import quote

    return quote(name, safe="")


@pytest.mark.parametrize(
    "label", ["x · ../../x", "x · reports", "/etc · /etc", "x · reports/../../Lora", "x · reports/sample\0"]
)
def test_no_folder_but_a_report_is_opened(host, label):
    assert host.click("owf_open", report_choice=label) == ["<p>This audit has no HTML report.</p>"]
    assert host.click("owf_report_choice", "change", report_choice=label)[0] == ""


def test_malformed_requests_are_refused_in_a_sentence(host):
    host.behave("report")
    draw = random.Random(0)
    values = [
        None,
        True,
        0,
        -1,
        1e308,
        "",
        "x",
        [],
        {},
        [[]],
        "\0",
        "a" * 5000,
        ["lora-a"] * 1000,
        {"a": {}},
        1.5,
        [None],
    ]
    fields = ["checkpoint", "loras", "strengths", "preset", "metrics", "policy", "more", ""]
    for number in range(200):
        good = {"checkpoint": CHECKPOINT, "loras": [LORA]}
        if number % 2:
            body = {**good, draw.choice(fields): draw.choice([v for v in values if v not in ("", 1.5)])}
            answer = host.ask("/owf/v1/audit", body if body != good else [])
        else:
            raw = "".join(draw.choices(string.printable, k=draw.randint(1, 300))).encode()
            raw = [raw, b"[" * 60_000, b"\xff" * 10, b"{" * 10, b'{"loras":', b"x" * 70_000, b"NaN"][number // 2 % 7]
            answer = host.ask("/owf/v1/audit", raw=raw)
        assert answer.status in (400, 413), answer
        assert "Traceback" not in answer.text and len(answer.data["detail"]) < 2000
    for strength in (10**400, -(10**4000)):  # JSON has numbers that are no float's
        assert host.audit(strengths=[strength]).status == 400
    assert host.ask("/owf/v1/audit", {}, kind="text/plain").status == 415
    for path in ("jobs/x", "jobs/x/report", "jobs/%00/report"):
        assert host.ask(f"/owf/v1/{path}").status == 404
    assert host.ended(host.audit().data["id"])["state"] == "done"


def test_a_training_ends_in_the_hosts_list(host):
    host.behave("trained")
    asked = {"train_checkpoint": CHECKPOINT, "train_folder": str(ROOT / "demo" / "concept"), "train_name": "new-one"}
    (status,) = host.click("owf_train", **asked, train_class="bag")
    assert 'data-owf-state="running"' in status, status
    host.until(lambda: 'data-owf-state="ended"' in host.click("owf_poll")[0])
    assert "<polyline" in host.click("owf_poll")[0]
    assert (host.folder / "Lora" / "new-one.safetensors").read_bytes() == b"a LoRA"
    assert "new-one" in str(host.click("owf_refresh"))
    assert "There is a LoRA new-one already" in host.click("owf_train", **asked)[0]
    for name in ("../x", "a/b", "", "a b", "\0"):
        assert "made of letters" in host.click("owf_train", **{**asked, "train_name": name})[0]


def test_what_is_in_a_file_is_shown_as_text(host):
    (shown,) = host.click("owf_inspect", inspect_lora=LORA)
    assert "&lt;b&gt;lora" in shown and "<b>" not in shown
    assert "host lists no" in host.click("owf_inspect", inspect_lora="../x")[0]


@pytest.fixture(scope="module", params=PYTHONS, ids=named)
def guarded_host(request, installed, tmp_path_factory):
    folder = data(tmp_path_factory.mktemp("data"))
    client = Client(request.param, "a1111", installed, folder, "--api-auth", "me:secret,ünser:pass:word")
    yield client
    client.close()


def test_credentials_are_asked_for_on_every_route(guarded_host):
    host = guarded_host
    host.behave("report")
    for auth in (None, "me:wrong", "me", "secret", ":", "me:secret,ünser:pass:word", "nobody:secret", "me:"):
        for path, method in (("audit", "POST"), ("jobs/x", "GET"), ("jobs/x/report", "GET"), ("jobs/x/cancel", "POST")):
            answer = host.ask(f"/owf/v1/{path}", {} if path == "audit" else None, method=method, auth=auth)
            assert answer.status == 401, (auth, path)
    for auth in ("me:secret", "ünser:pass:word"):
        assert host.ask("/owf/v1/jobs/x", auth=auth).status == 404
        assert host.ask("/owf/v1/audit", {}, auth=auth).status == 400


def test_without_the_hosts_api_there_are_no_routes_and_without_a_python_a_sentence(installed, tmp_path):
    folder = data(tmp_path / "data")
    (folder / "config.json").unlink()
    host = Client(PYTHONS[-1], "forge", installed, folder, "--no-api")
    try:
        assert host.audit().status in (404, 405)
        (status,) = host.click("owf_audit", checkpoint=CHECKPOINT, loras=[LORA])
        assert "environment of its own" in status and "GB" in status
    finally:
        host.close()


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS, ids=named)
def test_the_demo_lora_through_the_real_command_line(python, installed, tmp_path):
    folder = data(tmp_path / "data")
    (folder / "config.json").write_text(f'{{"owf_python": "{sys.executable}", "owf_device": "cpu"}}')
    (folder / "Stable-diffusion" / "demo").symlink_to(ROOT / "demo" / "base")
    (folder / "Lora" / "plain.safetensors").symlink_to(ROOT / "demo" / "lora" / "owf_demo_plain.safetensors")
    host = Client(python, "a1111", installed, folder)
    try:
        asked = {"checkpoint": "demo [0123456789]", "loras": ["plain"]}
        host.click("owf_audit", **asked, metrics=["denoiser_drift"])
        host.until(lambda: 'data-owf-state="ended"' in host.click("owf_poll")[0], 280)
        ((lora, _, verdict),) = host.click("owf_show")[0]["data"]
        assert (lora, verdict) == ("plain", "DRIFT")
        id = host.audit(**asked, metrics=["denoiser_drift"], strengths=[0.5]).data["id"]
        host.until(lambda: host.job(id)["state"] not in ("waiting", "running"), 280)
        assert host.job(id)["state"] == "done", host.job(id)
        assert not host.state()["torch"]
    finally:
        host.close()
