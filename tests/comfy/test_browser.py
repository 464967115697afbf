"""The panels in a real browser: a workflow is loaded, queued, read, and read again after the page was reloaded."""

import json
import time
from pathlib import Path

import pytest
from serve import server

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright and a Chromium")
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = (  # noqa: SIM905 - as a list it would fill a screen
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
READY = "!!(window.app?.graph && window.LiteGraph?.registered_node_types['OWF_DriftAudit'])"
PANEL = "() => app.graph._nodes.find(n => n.comfyClass === 'OWF_DriftAudit')?.owfElement?.textContent ?? ''"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with server(tmp_path_factory.mktemp("comfy")) as url, sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        # The newest front end asks for templates from the internet.
        local = (url, "data:", "blob:")
        page.route("**/*", lambda r: r.continue_() if r.request.url.startswith(local) else r.abort())
        page.goto(url)
        page.wait_for_function(READY, timeout=180_000)
        time.sleep(3)
        page.keyboard.press("Escape")  # a first visit is greeted with templates
        yield page
        browser.close()


def workflow() -> dict:
    graph = json.loads((ROOT / "examples" / "audit_a_lora.json").read_text())
    (node,) = (n for n in graph["nodes"] if n["type"] == "OWF_DriftAudit")
    values = node["widgets_values"]
    metrics = 8  # lora, strength, preset, seed, gate, labels, folder, policy, metrics
    values[metrics] = "denoiser_drift, color"
    return graph


def wait_for(page, condition: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, page.evaluate(PANEL)
        time.sleep(1)


def test_the_panel_follows_the_run_survives_a_reload_and_fits_both_themes(page, tmp_path):
    page.evaluate("async graph => { await app.loadGraphData(graph, true, true, 'audit') }", workflow())
    time.sleep(1)
    assert "Queue the graph" in page.evaluate(PANEL)
    page.evaluate("async () => { await app.queuePrompt(0) }")
    wait_for(page, f"() => /Base: .*\\d+ \\/ \\d+/.test(({PANEL})())", 600)
    wait_for(page, f"() => /DRIFT/.test(({PANEL})())", 1200)
    text = page.evaluate(PANEL)
    for part in ("DRIFT", "Denoiser drift", "Colour drift", "95 %", "limit", "a photo of", "Open the full report"):
        assert part in text
    slider = ".owf-slider input"
    page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.centerOnNode(app.graph._nodes[1]) }")
    time.sleep(1)
    page.screenshot(path=tmp_path / "dark.png")
    page.evaluate(
        "s => { const r = document.querySelector(s); r.value = 0; r.dispatchEvent(new Event('input')) }", slider
    )
    shown = page.evaluate("() => document.querySelectorAll('.owf-slider img')[1].style.clipPath")
    assert "0%" in shown
    loaded = "() => [...document.querySelectorAll('.owf-slider img')].every(i => i.complete && i.naturalWidth === 64)"
    wait_for(page, loaded, 30)

    saved = page.evaluate("() => JSON.stringify(app.graph.serialize())")
    page.reload()
    page.wait_for_function(READY, timeout=180_000)
    time.sleep(3)
    page.evaluate("async graph => { await app.loadGraphData(JSON.parse(graph), true, true, 'audit') }", saved)
    wait_for(page, f"() => /DRIFT/.test(({PANEL})())", 30)
    assert page.evaluate(PANEL) == text

    page.evaluate("async () => { await app.extensionManager.setting.set('Comfy.ColorPalette', 'light') }")
    time.sleep(1)
    color = page.evaluate("() => getComputedStyle(document.querySelector('.owf')).color")
    back = page.evaluate("() => getComputedStyle(document.querySelector('.owf')).backgroundColor")
    assert contrast(color, back) > 4.5, (color, back)
    page.screenshot(path=tmp_path / "light.png")


def test_the_full_report_opens_as_a_page(page):
    with page.expect_popup() as popup:
        page.evaluate(
            "() => [...document.querySelectorAll('.owf button')].find(b => /report/.test(b.textContent)).click()"
        )
    report = popup.value
    report.frame_locator("iframe").get_by_text("DRIFT").first.wait_for(timeout=30_000)
    assert report.locator("iframe").get_attribute("sandbox") == "allow-scripts"
    assert report.evaluate("() => window.opener") is None
    report.close()


def contrast(*colors: str) -> float:
    """Return the contrast of two CSS colours as WCAG 2 defines it."""
    shades = sorted(_luminance([float(v) for v in c[c.index("(") + 1 : -1].split(",")[:3]]) for c in colors)
    return (shades[1] + 0.05) / (shades[0] + 0.05)


def _luminance(rgb: list[float]) -> float:
    linear = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
