"""The page over all LoRAs of a call: side by side or ranked, offline, and deaf to what strangers write."""

import base64
import dataclasses
import hashlib
import importlib.util
import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import report_samples as samples
from imports import heavy_imports
from owf.cli.output.tell import tell_overview
from owf.core.metrics.measurement import Part
from owf.core.render.audited import Audited, headlines, worst_first
from owf.core.render.html.html import write_html
from owf.core.render.html.overview.overview import overview_name, render_overview, write_overview
from owf.core.verdict.judge import judge
from owf.core.verdict.verdict import INVALID, worst
from rich.console import Console

_spec = importlib.util.spec_from_file_location("render_page_parser", Path(__file__).with_name("test_html.py"))
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
Page = _module.Page


@pytest.fixture
def make(tmp_path):
    """Return a maker of audits: the sample report with its changes multiplied, written below tmp_path."""

    def scaled(estimate, factor):
        half = estimate.high - estimate.value
        value = estimate.value * factor
        return dataclasses.replace(estimate, value=value, low=value - half, high=value + half)

    def audit(name: str, factor: float = 1.0, pairs: int = 0, **changes) -> Audited:
        report, folder = samples.report(), tmp_path / name
        seen = {
            key: dataclasses.replace(
                m,
                estimates={k: scaled(e, factor) for k, e in m.estimates.items()},
                breakdowns={
                    k: tuple(Part(p.label, scaled(p.estimate, factor)) for p in v) for k, v in m.breakdowns.items()
                },
            )
            for key, m in report.measurements.items()
        }
        folder.mkdir()
        drawn = samples.draw_pairs(folder, pairs) if pairs else ()
        report = dataclasses.replace(
            report, measurements=seen, verdict=judge(seen, samples.LIMITS), pairs=drawn, **changes
        )
        write_html(report, folder)
        return Audited(f"{name}.safetensors", report, folder)

    return audit


@pytest.fixture
def shown(tmp_path):
    return lambda audits: Page(render_overview(audits, tmp_path))


def hostile(tmp_path) -> list[Audited]:
    bad = samples.HOSTILE
    return [
        Audited(bad[0] + bad[2], samples.hostile_report(), tmp_path / "javascript:alert(1)"),
        Audited(bad[1], samples.open_report(), tmp_path.parent / "elsewhere"),
        Audited(bad[3], samples.invalid_report(), tmp_path / bad[3]),
        Audited(bad[5], refusal=" ".join(bad)),
    ]


@pytest.fixture(params=["few", "many", "hostile", "hostile many", "invalid"])
def audits(request, make, tmp_path):
    cases = {
        "few": lambda: [make("a", pairs=3), make("b", 0.1, pairs=3)],
        "many": lambda: [make(f"lora {i}", i / 8) for i in range(9)] + [Audited("bad", refusal="cut off")],
        "hostile": lambda: hostile(tmp_path),
        "hostile many": lambda: 5 * hostile(tmp_path),
        "invalid": lambda: [Audited("a", refusal="cut off"), Audited("b", samples.invalid_report(), tmp_path / "b")],
    }
    return cases[request.param]()


def test_nothing_is_loaded_from_outside_and_links_stay_below_the_folder(audits, shown, tmp_path):
    for tag, attrs in shown(audits).tags:
        for key in ("src", "srcset", "action", "data", "poster", "xlink:href", "formaction"):
            assert attrs.get(key, "data:").startswith("data:"), (tag, key)
        href = attrs.get("href", "#")
        if not href.startswith(("#", "data:,")):
            assert tag == "a"
            assert not re.match(r"[a-z]+:|/|\\", href), href
            assert (tmp_path / unquote(href)).resolve().is_relative_to(tmp_path)
        assert tag not in ("iframe", "object", "embed", "base", "form")


def test_only_our_own_script_and_style_may_run(audits, shown):
    page = shown(audits)
    assert page.open == []
    policy = next(attrs["content"] for attrs in page.of("meta") if attrs.get("http-equiv"))
    for tag in ("script", "style"):
        (content,) = ["".join(data for inside, data in page.texts if inside == tag)]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert len(page.of(tag)) == 1
    assert not any(key.startswith("on") or key == "style" for _, attrs in page.tags for key in attrs)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_hostile_text_is_shown_and_inert(shown, tmp_path):
    text = shown(hostile(tmp_path)).text()
    assert "<script>alert(1)</script>" in text
    assert "{{7*7}}" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800]", text)


def test_few_loras_stand_side_by_side_in_the_order_they_were_named(make, shown):
    page = shown([make("mild", 0.1), make("strong")])
    text = page.text()
    assert "2 LoRAs side by side" in text
    assert text.index("mild") < text.index("strong")
    assert text.index("2.2 points") < text.index("21.6 points")
    assert "limit 10.0 points" in text
    assert [link["href"] for link in page.of("a") if link["href"][0] != "#"] == [
        "mild/report.html",
        "strong/report.html",
    ]


def test_charts_of_one_number_share_their_scale(make, tmp_path):
    html = render_overview([make("mild", 0.1), make("strong")], tmp_path)
    charts = re.findall(r'<svg class="chart .*?</svg>', html)
    assert len(charts) == 10
    limits = [re.findall(r'<line x1="([^"]*)"[^>]*class="limit"', chart) for chart in charts]
    assert all(len(limit) == 1 for limit in limits)
    assert limits[::2] == limits[1::2]


def test_classes_are_beside_each_other_the_largest_loss_first(make, shown):
    text = shown([make("mild", 0.1), make("strong")]).text()
    assert re.search(r"dress 1 6\.2 −9\.8 to 22\.2 2 62\.0 46\.0 to 78\.0 coat", text)


def test_of_two_that_tell_of_each_prompt_the_difference_stands_beside_the_numbers(make, shown):
    audits = []
    for name, values in (("a", (9.0, 10.0, 11.0)), ("b", (7.0, 8.0, 9.0)), ("c", (7.0, 8.0, 9.0))):
        audit = make(name, 1.0 if name == "a" else 0.5)
        audit.report.measurements["color"] = dataclasses.replace(
            audit.report.measurements["color"], prompts={"cdi": values}
        )
        audits.append(audit)
    # The prompts differ by 2 each, so that the interval is that one point around 9.3 - 4.65.
    text = shown(audits[:2]).text()
    assert "1 − 2: +4.65 ΔE (+4.65 to +4.65)" in text and "all of them hold together" in text
    assert "b is the milder, in accuracy drop, denoiser drift and colour drift; the other" in text
    for others in (audits, audits[:1]):
        assert " − 2: " not in shown(others).text() and "hold together" not in shown(others).text()


def test_the_same_pair_is_one_row_with_one_picture_of_the_base(make, shown):
    page = shown([make("a", pairs=5), make("b", 0.1, pairs=3)])
    assert len(page.of("img")) == 5 + 2 * 5 - 2 - 4
    assert [image["alt"][:10] for image in page.of("img")[:2]] == ["Base model", "a: a black"]
    assert "not kept in its report" not in page.text()


def test_pairs_of_another_plan_or_base_are_not_compared(make, shown):
    other = make("b", 0.1, pairs=3, plan_digest="other")
    assert shown([make("a", pairs=3), other]).of("img") == []


def test_a_pair_that_one_of_three_lacks_says_so(make, shown):
    page = shown([make("a", pairs=3), make("b", pairs=3), make("c", pairs=2)])
    assert page.text().count("not kept in its report") == 1


def test_many_loras_are_ranked_without_pictures(make, shown):
    page = shown([make("pass", 0.01), *(make(f"drift {i}", i) for i in (2, 7, 3, 4, 5, 6))])
    assert page.of("img") == []
    text = page.text()
    places = [text.index(name) for name in ("drift 7", "drift 6", "drift 5", "drift 2", "pass")]
    assert places == sorted(places)
    assert [attrs["aria-sort"] for attrs in page.of("th") if "aria-sort" in attrs] == ["other"]


def test_thousands_of_loras_are_numbers_only(make, shown):
    one = make("a")
    page = shown([dataclasses.replace(one, name=f"lora {i}") for i in range(2000)])
    assert [attrs for attrs in page.of("svg") if "row-chart" in attrs["class"]] == []
    assert "17.3 to 25.9" in page.text()


def test_invalid_files_are_listed_with_their_reason(make, shown, tmp_path):
    bad = [
        Audited("bad.safetensors", refusal="cut off after 22 bytes"),
        Audited("x", samples.invalid_report(), tmp_path),
    ]
    page = shown([make("a"), *bad])
    assert "bad.safetensors cut off after 22 bytes" in page.text()
    assert "0 of 192 matched" in page.text()
    assert "Invalid: 2" in page.text()


def test_the_page_is_named_by_what_it_is_about(make, tmp_path):
    a, b, c = make("a"), make("b"), Audited("c", refusal="cut off")
    names = [overview_name(audits) for audits in ([a, b], [b, a], [a], [a, c], [a, b, c])]
    assert names[0] == names[1]
    assert len(set(names)) == 4
    path = write_overview([a, b], tmp_path)
    assert path == tmp_path / names[0]
    assert not list(tmp_path.glob("*.partial"))


def test_the_same_audits_give_the_same_page(make, tmp_path):
    audits = [make("a", pairs=2), make("b", 0.1, pairs=2)]
    assert render_overview(audits, tmp_path) == render_overview(audits, tmp_path)


def test_worst_first(make):
    audits = [make("pass", 0.001), Audited("invalid"), make("drift", 1), make("more", 2)]
    assert [audit.name.partition(".")[0] for audit in worst_first(audits)] == ["more", "drift", "invalid", "pass"]
    assert worst(audit.decision for audit in audits) == "DRIFT"
    assert worst(["PASS", "INCONCLUSIVE", "INVALID"]) == INVALID


def test_headlines_come_in_reading_order():
    assert headlines([samples.report(), samples.invalid_report()]) == [
        ("semantic", "accuracy_drop"),
        ("semantic", "worst_class_drop"),
        ("denoiser_drift", "drift"),
        ("color", "cdi"),
        ("kid", "kid_relative"),
    ]


def test_the_terminal_shows_numbers_reasons_and_the_page(make, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    bad = Audited("evil\x1b[31m[bold].safetensors", refusal="cut \x1b[2J off")
    tell_overview([make("mild", 0.1), make("strong"), bad], [tmp_path / "overview-1.html"], Console(), "none")
    shown = capsys.readouterr().out
    assert re.search(r"strong\s+\S DRIFT\s+21\.6\s+62\.0\s+8\.4\s+9\.3\s+2\.13", shown)
    assert shown.index("strong") < shown.index("mild")
    assert "[bold].safetensors: cut" in shown
    assert "\x1b" not in shown
    assert "overview-1.html" in shown


def test_no_table_or_page_over_many_shows_pass_alone_where_nothing_was_learned(make, shown, tmp_path, capsys):
    taught = samples.trained_report()
    few = [Audited("taught.safetensors", taught, tmp_path), make("strong")]
    tell_overview(few, [], Console(width=120), "none")
    assert re.search(r"taught\s+\? NOT LEARNED, PASS, in part\s", capsys.readouterr().out)
    side_by_side = shown(few)
    cards = [attrs["class"] for attrs in side_by_side.of("li") if attrs.get("class", "").startswith("card")]
    assert cards == ["card inconclusive", "card drift"]
    ranked = shown([*few, *(make(f"drift {i}", i) for i in (2, 3, 4, 5, 6))])
    assert all("NOT LEARNED, PASS" in page.text() for page in (side_by_side, ranked))


def test_the_terminal_names_the_options_that_would_help(tmp_path, capsys):
    tell_overview([Audited("x.safetensors", samples.invalid_report(), tmp_path)], [], Console(), "none")
    assert "meaningless (--base)." in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_hosts_read_json_lines(make, tmp_path, capsys):
    audits = [make("strong"), Audited("bad", refusal="cut off")]
    tell_overview(audits, [tmp_path / "overview-1.html"], None, "json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["verdict"] for line in lines] == ["DRIFT", "INVALID", "DRIFT"]
    assert lines[0]["folder"] == str(tmp_path / "strong")
    assert lines[-1]["pages"] == [str(tmp_path / "overview-1.html")]


def test_rendering_needs_no_torch():
    assert "torch" not in heavy_imports("owf.core.render.html.overview.overview")


@pytest.mark.skipif(
    "OWF_CHROMIUM" not in os.environ, reason="needs OWF_CHROMIUM, the path of a browser, and playwright"
)
def test_a_browser_sorts_and_filters(make, tmp_path):
    from playwright.sync_api import sync_playwright  # pyright: ignore[reportMissingImports]

    path = write_overview([make(f"lora {i}", (i * 3) % 8) for i in range(8)], tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["OWF_CHROMIUM"], args=["--no-sandbox"])
        page = browser.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path.as_uri())
        names = lambda: page.locator("tbody tr:visible th").all_inner_texts()  # noqa: E731
        assert names()[0] == "lora 5"
        page.get_by_role("button", name="LoRA", exact=True).click()
        assert names() == [f"lora {i}" for i in range(8)]
        page.get_by_role("button", name="Colour drift").click()
        assert names()[:2] == ["lora 5", "lora 2"]
        page.get_by_role("button", name="Colour drift").click()
        assert names()[:2] == ["lora 0", "lora 3"]
        page.get_by_role("searchbox").fill("RA 4")
        assert names() == ["lora 4"]
        page.get_by_role("searchbox").fill("")
        page.get_by_role("link", name="lora 0").click()
        assert page.url.endswith("/lora%200/report.html")
        browser.close()
    assert problems == []
