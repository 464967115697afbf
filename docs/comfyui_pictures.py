"""Run the example workflows in a real ComfyUI and take their pictures: thumbnails for examples/, screenshots for docs/.

    pip install playwright
    COMFYUI_DIR=~/ComfyUI COMFYUI_PYTHON=~/ComfyUI/venv/bin/python python docs/comfyui_pictures.py

ComfyUI's template browser shows `examples/NAME.jpg` beside `examples/NAME.json`.
"""

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "comfy"))

import browser  # noqa: E402

SHOWN = {
    "audit_a_lora": "OWF_DriftAudit",
    "train_then_audit": "OWF_TrainLoRADC",
    "meter_two_batches": "OWF_CDIKIDMeter",
    "gate_a_graph": "OWF_DriftAudit",
}
"""Example -> the node that its picture is about."""
THUMBNAIL = 640
"""Pixels of a thumbnail's width."""
HIDDEN = ".p-toast, .minimap-main-container { display: none !important }"


def main() -> None:
    """Take every picture."""
    for name, node in SHOWN.items():
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as home, browser.opened(Path(home)) as page:
            page.add_style_tag(content=HIDDEN)
            finish(page, name)
            picture = fitted(page)
            small = picture.resize((THUMBNAIL, round(THUMBNAIL * picture.height / picture.width)))
            small.save(ROOT / "examples" / f"{name}.jpg", quality=85, optimize=True)
            if name == "audit_a_lora":
                screenshots(page, node)


def finish(page: Any, name: str) -> None:
    """Run an example to the end."""
    browser.load(page, browser.workflow(name), name)
    browser.queue(page)
    idle = "async () => { const r = await fetch('/queue'); const q = await r.json(); return !q.queue_running.length }"
    time.sleep(5)
    browser.until(lambda: page.evaluate(idle), 1800, lambda: f"{name} still runs")
    time.sleep(2)


def fitted(page: Any) -> Image.Image:
    """Return the page with the whole workflow on it."""
    page.evaluate("async () => { await app.extensionManager.command.execute('Comfy.Canvas.FitView') }")
    time.sleep(2)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def screenshots(page: Any, node: str) -> None:
    """Save the node in both themes."""
    for palette, name in (("dark", "comfyui-audit"), ("light", "comfyui-light")):
        page.evaluate(
            "async palette => { await app.extensionManager.setting.set('Comfy.ColorPalette', palette) }", palette
        )
        browser.centre(page, node, 0.9)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("P", palette=Image.Palette.ADAPTIVE)
        picture.save(ROOT / "docs" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
