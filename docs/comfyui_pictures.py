"""Run the example workflows in a real ComfyUI and take their pictures: their thumbnails, and screenshots for docs/.

    pip install playwright
    COMFYUI_DIR=~/ComfyUI COMFYUI_PYTHON=~/ComfyUI/venv/bin/python python docs/comfyui_pictures.py [EXAMPLE ...]

ComfyUI's template browser shows `example_workflows/NAME.jpg` beside `example_workflows/NAME.json`. Without names all of
them are taken, and the screenshots: whatever has changed, this is the one command.
"""

import io
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "comfy"))

import browser  # noqa: E402

PICTURED = "audit_a_lora"
"""The example of which the documentation shows a node, in both themes."""
THUMBNAIL = 960
"""Pixels of a thumbnail's longer side."""
SCREEN = {"width": 2400, "height": 1600}
"""Page on which a whole workflow is large enough to be read."""
MARGIN = 24
HIDDEN = ".p-toast, .minimap-main-container { display: none !important }"


def main() -> None:
    """Take the pictures of the examples that are named, or of all."""
    if unknown := set(sys.argv[1:]) - set(browser.EXAMPLES):
        sys.exit(f"There is no example {', '.join(sorted(unknown))}.")
    with tempfile.TemporaryDirectory() as cache:
        for name in sys.argv[1:] or browser.EXAMPLES:
            print(name, flush=True)
            with tempfile.TemporaryDirectory() as home:
                pretend(Path(home), name)
                # The base is measured once; a LoRA in each picture anew, so that no panel says that it is remembered.
                results = Path(home, "output", "owf", "cache")
                shutil.copytree(cache, results)
                take(Path(home), name)
                shutil.copytree(results, cache, dirs_exist_ok=True)


def pretend(home: Path, name: str) -> None:
    """Put empty files where the page looks for the checkpoints of an example, which it would mark in red otherwise."""
    for node in browser.workflow(name)["nodes"]:
        for file in node["properties"].get("models", ()):
            folder = home / "models" / file["directory"]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file["name"]).touch()


def take(home: Path, name: str) -> None:
    """Take the pictures of an example."""
    with browser.opened(home) as page:
        page.add_style_tag(content=HIDDEN)
        finish(page, name)
        picture = fitted(page)
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        picture.save(ROOT / "example_workflows" / f"{name}.jpg", quality=85, optimize=True)
        if name == PICTURED:
            screenshots(page)


def finish(page: Any, name: str) -> None:
    """Run an example to the end; one on a checkpoint that does not ship is shown as it is loaded."""
    graph = browser.workflow(name)
    browser.load(page, graph, name)
    if not any(node["type"] == "OWF_DemoCheckpoint" for node in graph["nodes"]):
        return
    browser.queue(page)
    browser.until(lambda: not browser.is_running(page), 3600, lambda: f"{name} still runs")
    if browser.ends(page) != ["success"]:
        sys.exit(f"{name} did not run to its end: {browser.ends(page)}")
    time.sleep(2)


def fitted(page: Any) -> Image.Image:
    """Return the whole workflow, without the page around it."""
    page.keyboard.press("Escape")  # a closed gate says why in a dialog
    before = page.viewport_size
    page.set_viewport_size(SCREEN)
    browser.fit(page)
    corners = """() => {
        const boxes = app.graph._nodes.map(node => node.getBounding());
        const [left, top] = [0, 1].map(i => Math.min(...boxes.map(box => box[i])));
        const [right, bottom] = [0, 1].map(i => Math.max(...boxes.map(box => box[i] + box[i + 2])));
        const page = app.canvas.canvas.getBoundingClientRect();
        const place = ([x, y]) => [x + page.left, y + page.top];
        return [[left, top], [right, bottom]].flatMap(at => place(app.canvas.ds.convertOffsetToCanvas(at)));
    }"""
    left, top, right, bottom = page.evaluate(corners)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.set_viewport_size(before)
    return picture.crop((left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN))


def screenshots(page: Any) -> None:
    """Save the audit's node in both themes; dropped on ComfyUI's page, such a picture loads its workflow."""
    information = PngInfo()
    information.add_text("workflow", json.dumps(browser.workflow(PICTURED)))
    page.set_viewport_size({"width": 1500, "height": 1700})  # as high as the node
    for palette, name in (("dark", "comfyui-audit"), ("light", "comfyui-light")):
        browser.setting(page, "Comfy.ColorPalette", palette)
        browser.centre(page, "OWF_DriftAudit", 0.9)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("P", palette=Image.Palette.ADAPTIVE)
        picture.save(ROOT / "docs" / f"{name}.png", optimize=True, pnginfo=information)


if __name__ == "__main__":
    main()
