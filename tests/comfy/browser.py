"""ComfyUI's page in a headless Chromium, on a server of its own."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serve import server

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (  # noqa: SIM905 - as a list it would fill a screen
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
READY = "!!(window.app?.graph && window.LiteGraph?.registered_node_types['OWF_DriftAudit'])"


@contextmanager
def opened(home: Path, front_end: str | None = None, vue: bool = False) -> Iterator[Any]:
    """Yield the page of a new ComfyUI; `front_end` is the `static` folder of another front end than its own."""
    from playwright.sync_api import sync_playwright

    options = ("--front-end-root", front_end) if front_end else ()
    with server(home, *options) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        # The newest front end asks for templates from the internet.
        local = (url, "data:", "blob:")
        page.route("**/*", lambda r: r.continue_() if r.request.url.startswith(local) else r.abort())
        page.goto(url)
        ready(page)
        setting(page, "Comfy.VueNodes.Enabled", vue)
        yield page
        browser.close()


def ready(page: Any) -> None:
    """Wait until nodes can be placed, and close what greets a first visit."""
    page.wait_for_function(READY, timeout=180_000)
    time.sleep(3)
    page.keyboard.press("Escape")


def setting(page: Any, name: str, value: Any) -> None:
    """Give a setting of the page a value."""
    page.evaluate("async ([name, value]) => { await app.extensionManager.setting.set(name, value) }", [name, value])


def workflow(name: str) -> dict[str, Any]:
    """Return an example workflow."""
    return json.loads((ROOT / "example_workflows" / f"{name}.json").read_text())


def example(name: str, node: str, **values: Any) -> dict[str, Any]:
    """Return an example workflow with other values in the widgets of a node type, given by the widgets' places."""
    graph = workflow(name)
    (found,) = (n for n in graph["nodes"] if n["type"] == node)
    for place, value in values.items():
        found["widgets_values"][int(place.removeprefix("at_"))] = value
    return graph


def load(page: Any, graph: dict[str, Any], name: str) -> None:
    """Put a workflow on the page."""
    page.evaluate("async ([graph, name]) => { await app.loadGraphData(graph, true, true, name) }", [graph, name])
    time.sleep(1)


def queue(page: Any) -> None:
    """Press run."""
    page.evaluate("async () => { await app.queuePrompt(0) }")


def is_running(page: Any) -> bool:
    """Return whether anything that was queued has not ended."""
    queued = page.evaluate("async () => (await fetch('/queue')).json()")
    return bool(queued["queue_running"] or queued["queue_pending"])


def ends(page: Any) -> list[str]:
    """Return how each run ended so far, "success" or "error"."""
    return page.evaluate(
        "async () => Object.values(await (await fetch('/history')).json()).map(run => run.status.status_str)"
    )


def panel(page: Any, node: str) -> str:
    """Return the text of a node's panel."""
    return page.evaluate(
        "kind => app.graph._nodes.find(n => n.comfyClass === kind)?.owfElement?.textContent ?? ''", node
    )


def centre(page: Any, node: str, scale: float = 1.0) -> None:
    """Show a node in the middle of the page."""
    code = """([kind, scale]) => {
        app.canvas.ds.scale = scale;
        app.canvas.centerOnNode(app.graph._nodes.find(n => n.comfyClass === kind));
        app.canvas.setDirty(true, true);
    }"""
    page.evaluate(code, [node, scale])
    time.sleep(1.5)


def fit(page: Any) -> None:
    """Show the whole workflow, with all that is on its nodes: from far away the page leaves texts and widgets out."""
    setting(page, "LiteGraph.Canvas.MinFontSizeForLOD", 0)
    page.evaluate("async () => { await app.extensionManager.command.execute('Comfy.Canvas.FitView') }")
    time.sleep(2)


def until(holds: Any, seconds: float, said: Any = lambda: "") -> None:
    """Wait until a function returns something true; fail with what `said` returns where it never does.

    The seconds only end a wait in vain: many times what a slow machine needs.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, said()
        time.sleep(0.5)


def contrast(*colors: str) -> float:
    """Return the contrast of two CSS colours as WCAG 2 defines it."""
    shades = sorted(_luminance([float(v) for v in c[c.index("(") + 1 : -1].split(",")[:3]]) for c in colors)
    return (shades[1] + 0.05) / (shades[0] + 0.05)


def _luminance(rgb: list[float]) -> float:
    linear = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
