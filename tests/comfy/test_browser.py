"""The panels in a real browser: a workflow is loaded, queued, read, and read again after the page was reloaded.

Vue nodes show panels from front end 1.58 on: COMFYUI_FRONTEND names the `static` folder of such a one
(pip download --no-deps comfyui-frontend-package, unzipped).
"""

import json
import os
import re
import time

import pytest
from browser import ROOT, centre, contrast, example, load, opened, panel, queue, ready, setting, until
from graphs import DEMO_LORA, blueprint_on_demo

pytest.importorskip("playwright.sync_api", reason="needs playwright and a Chromium")
AUDIT, TRAIN = "OWF_DriftAudit", "OWF_TrainLoRADC"
METRICS, STEPS = "at_8", "at_4"
"""Places of widgets: lora, strength, preset, seed, gate, labels, folder, policy, metrics; name ... preset, steps."""
FRONT_END = os.environ.get("COMFYUI_FRONTEND")
KINDS = [
    "canvas",
    pytest.param("vue", marks=pytest.mark.skipif(not FRONT_END, reason="set COMFYUI_FRONTEND to one from 1.58 on")),
]


@pytest.fixture(scope="module", params=KINDS)
def page(request, tmp_path_factory):
    vue = request.param == "vue"
    with opened(tmp_path_factory.mktemp(request.param), FRONT_END if vue else None, vue) as page:
        yield page


def shown(page) -> bool:
    """Return whether the audit's panel is on the page, with a size."""
    box = "app.graph._nodes.find(n => n.comfyClass === 'OWF_DriftAudit').owfElement"
    return page.evaluate(f"() => {box}.isConnected && {box}.getBoundingClientRect().height > 100")


HEIGHT = "() => app.graph._nodes.find(n => n.comfyClass === 'OWF_DriftAudit').size[1]"
SCROLLING = """() => [...document.querySelectorAll('.owf')]
    .filter(panel => panel.scrollHeight > panel.clientHeight).map(panel => panel.textContent)"""


def test_the_panel_follows_the_run_survives_a_reload_and_fits_both_themes(page, tmp_path):
    load(page, example("audit_a_lora", AUDIT, **{METRICS: "denoiser_drift, color"}), "audit")
    assert "Queue the graph" in panel(page, AUDIT)
    queue(page)
    until(lambda: re.search(r"Base: .*\d+ %", panel(page, AUDIT)), 600, lambda: panel(page, AUDIT))
    until(lambda: "DRIFT" in panel(page, AUDIT), 1200, lambda: panel(page, AUDIT))
    text = panel(page, AUDIT)
    for part in ("DRIFT", "Denoiser drift", "Colour drift", "95 %", "limit", "a photo of", "Open the full report"):
        assert part in text
    centre(page, AUDIT)
    assert shown(page) and page.evaluate(SCROLLING) == []
    page.screenshot(path=tmp_path / "dark.png")
    slider = "const range = document.querySelector('.owf-slider input'); range.value = 0;"
    page.evaluate(f"() => {{ {slider} range.dispatchEvent(new Event('input')) }}")
    assert "0%" in page.evaluate("() => document.querySelectorAll('.owf-slider img')[1].style.clipPath")
    loaded = "() => [...document.querySelectorAll('.owf-slider img')].every(i => i.complete && i.naturalWidth === 96)"
    until(lambda: page.evaluate(loaded), 300)

    saved, height = json.loads(page.evaluate("() => JSON.stringify(app.graph.serialize())")), page.evaluate(HEIGHT)
    page.reload()
    ready(page)
    load(page, saved, "audit")
    until(lambda: "DRIFT" in panel(page, AUDIT), 300)
    centre(page, AUDIT)
    assert page.evaluate(HEIGHT) >= height and page.evaluate(SCROLLING) == []
    # What a workflow brings along is not taken for a measurement of this ComfyUI.
    # What another run would cost may stand before it.
    assert panel(page, AUDIT).endswith("Saved with the workflow; queue the graph to measure here." + text)

    setting(page, "Comfy.ColorPalette", "light")
    centre(page, AUDIT)
    color = page.evaluate("() => getComputedStyle(document.querySelector('.owf')).color")
    back = page.evaluate("() => getComputedStyle(document.querySelector('.owf')).backgroundColor")
    assert contrast(color, back) > 4.5, (color, back)
    page.screenshot(path=tmp_path / "light.png")


FORGED = """() => {
    const node = app.graph._nodes.find(n => n.comfyClass === 'OWF_DriftAudit');
    const panel = JSON.parse(JSON.stringify(node.properties.owf_panel));
    const asked = ['/interrupt', '/../interrupt', 'view?x', 'https://example.org/a.png',
                   '/view?filename=a.png&subfolder=owf/../..&type=output',
                   '/view?filename=a.png&subfolder=&type=input'];
    panel.pairs = asked.map(url => ({...panel.pairs[0], base: url, tuned: url}));
    panel.bars = Array(5000).fill(panel.bars[0]);
    const before = node.properties.owf_panel;
    node.properties.owf_panel = panel;
    node.onConfigure({});
    const sources = [];
    for (const _ of asked) {
        sources.push(...[...node.owfElement.querySelectorAll('img')].map(image => image.getAttribute('src')));
        [...node.owfElement.querySelectorAll('button')].at(-1).click();
    }
    const bars = node.owfElement.querySelectorAll('.owf-bar').length;
    node.properties.owf_panel = before;
    node.onConfigure({});
    return [sources, bars];
}"""


def test_a_forged_panel_loads_nothing_and_stays_small(page):
    sources, bars = page.evaluate(FORGED)
    assert sources == [None] * len(sources) and len(sources) == 12
    assert bars <= 60


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


def test_a_training_draws_its_curves_as_it_goes(page, tmp_path):
    load(page, example("train_then_audit", TRAIN, **{"at_1": "sks", STEPS: 60}), "train")
    queue(page)
    seen = []

    def grows() -> bool:
        points = page.evaluate("() => document.querySelector('.owf-curve polyline')?.getAttribute('points') ?? ''")
        seen.append(len(points.split()))
        return 1 < seen[-1] < 60

    until(grows, 600, lambda: panel(page, TRAIN))
    centre(page, TRAIN)
    page.screenshot(path=tmp_path / "training.png")
    until(lambda: "Saved as" in panel(page, TRAIN), 900, lambda: panel(page, TRAIN))
    for part in ("loss", "drift", "dc weight", "Preserved by dc"):
        assert part in panel(page, TRAIN)
    page.screenshot(path=tmp_path / "trained.png")
    page.evaluate("async () => { const { api } = await import('/scripts/api.js'); await api.interrupt() }")
    time.sleep(3)  # the audit that follows in this workflow is another test's


def test_a_blueprint_shows_what_goes_on_in_it_also_after_a_reload(page, tmp_path):
    saved = json.loads((ROOT / "subgraphs" / "Audit this LoRA.json").read_text())
    metrics = int(METRICS.removeprefix("at_"))
    load(page, blueprint_on_demo(saved, {0: DEMO_LORA, metrics: "denoiser_drift"}), "blueprint")
    kinds = page.evaluate("() => app.graph._nodes[0].widgets.map(widget => widget.name)")
    assert kinds[:4] == ["lora", "strength", "preset", "stop_graph"]
    outer = "() => app.graph._nodes[0].owfElement?.textContent ?? ''"
    queue(page)
    until(lambda: "DRIFT" in page.evaluate(outer), 900, lambda: page.evaluate(outer))
    text, saved = page.evaluate(outer), json.loads(page.evaluate("() => JSON.stringify(app.graph.serialize())"))
    page.screenshot(path=tmp_path / "blueprint.png")
    page.reload()
    ready(page)
    load(page, saved, "blueprint")
    assert page.evaluate(outer) == "Saved with the workflow; queue the graph to measure here." + text
