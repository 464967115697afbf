"""Every example as the page shows it: before, during and after its run and after a reload, in each way and theme.

An example runs once. What the page makes of it is looked at on canvas and, where COMFYUI_FRONTEND names a front end
from 1.58 on, on Vue nodes, in the dark and the light theme. `--basetemp` keeps the screenshots.
"""

import json
import os
import time
from typing import Any

import pytest
from browser import EXAMPLES, contrast, ends, fit, is_running, load, opened, queue, ready, setting, workflow
from graphs import workflow_on_demo

pytest.importorskip("playwright.sync_api", reason="needs playwright and a Chromium")
FRONT_END = os.environ.get("COMFYUI_FRONTEND")
VUE = "Comfy.VueNodes.Enabled"
WAYS = (False, True) if FRONT_END else (False,)
"""Whether nodes are Vue nodes."""
FEW = {"per_class": 3, "steps": 12, "drift_every": 4, "check_learned": False}
"""Values of widgets that make a run short; how much is measured changes no layout."""
SCREEN = {"width": 2600, "height": 1700}
"""Page on which whole workflows are shown: panels that are far from the screen are not laid out."""

SEEN = """() => {
    const nodes = app.graph._nodes.map(node => {
        const element = LiteGraph.vueNodesMode && document.querySelector(`.lg-node[data-node-id="${node.id}"]`);
        const scale = app.canvas.ds.scale;
        if (!element) return [node.type, ...node.getBounding()];
        const box = element.getBoundingClientRect();
        return [node.type, box.left / scale, box.top / scale, box.width / scale, box.height / scale];
    });
    // Half a pixel of a box may come from rounding.
    const apart = (a, b) => [1, 2].some(i => a[i] + a[i + 2] <= b[i] + 1 || b[i] + b[i + 2] <= a[i] + 1);
    const over = (a, i) => nodes.slice(0, i).filter(b => !apart(a, b)).map(b => `${a[0]} lies on ${b[0]}`);
    const said = nodes.flatMap(over);
    for (const node of app.graph._nodes) {
        if (!node.owfElement) continue;
        const [room, whole] = [node.owfElement.clientHeight, node.owfElement.scrollHeight];
        const content = node.owfContent.offsetHeight;
        if (!node.owfElement.isConnected || !room) said.push(`${node.type} shows no panel`);
        else if (whole > room + 1) said.push(`${node.type} scrolls: ${whole} pixels in ${room}`);
        else if (room > content + 24) said.push(`${node.type} leaves room: ${content} pixels in ${room}`);
    }
    return said;
}"""
"""What is wrong with the page: nodes on others, panels that scroll, are not there or are higher than what they show."""
COLORS = """() => [...document.querySelectorAll('.owf')].map(panel => {
    const style = getComputedStyle(panel);
    return [style.color, style.backgroundColor];
})"""
PROGRESS = "() => !!document.querySelector('.owf-progress')"
FEWER = """values => {
    for (const widget of app.graph._nodes.flatMap(node => node.widgets ?? []))
        if (widget.name in values) widget.value = values[widget.name];
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Yield the page of one ComfyUI for all examples: what one has measured, the next remembers."""
    with opened(tmp_path_factory.mktemp("examples"), FRONT_END) as page:
        page.set_viewport_size(SCREEN)
        yield page


class Looked:
    """Looks at the page in every way and theme, and keeps what is wrong and a screenshot of each."""

    def __init__(self, page: Any, folder: Any) -> None:
        self.page, self._folder, self.wrong = page, folder, []

    def look(self, when: str) -> None:
        """Look in every way and theme, and go back to the first."""
        for theme in ("light", "dark"):
            setting(self.page, "Comfy.ColorPalette", theme)
            for vue in WAYS:
                self.once(when, vue, theme)
        setting(self.page, VUE, False)

    def once(self, when: str, vue: bool, theme: str = "dark") -> None:
        """Look in one way; a page that is still being laid out is given some time."""
        setting(self.page, VUE, vue)
        fit(self.page)
        said = self.page.evaluate(SEEN)
        for _ in range(6):
            if not said:
                break
            time.sleep(0.5)
            said = self.page.evaluate(SEEN)
        place = f"{when}, {'Vue' if vue else 'canvas'}, {theme}"
        self.page.screenshot(path=self._folder / f"{place}.png")
        pale = [colors for colors in self.page.evaluate(COLORS) if contrast(*colors) <= 4.5]
        self.wrong += [f"{place}: {each}" for each in [*said, *map(str, pale)]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fits_the_page_before_during_and_after_its_run(page, tmp_path, name):
    looked = Looked(page, tmp_path)
    load(page, workflow(name), name)
    page.keyboard.press("Escape")  # what offers a checkpoint that is missing
    looked.look("before")

    load(page, workflow_on_demo(workflow(name)), name)
    page.evaluate(FEWER, FEW)
    runs = len(ends(page))
    queue(page)
    ways = list(WAYS)
    while is_running(page):
        if ways and page.evaluate(PROGRESS):
            looked.once("during", ways.pop(0))
        time.sleep(0.5)
    setting(page, VUE, False)
    assert ends(page)[runs:] == ["success"]
    time.sleep(1)
    assert not page.evaluate(PROGRESS)
    looked.look("after")

    saved = json.loads(page.evaluate("() => JSON.stringify(app.graph.serialize())"))
    page.reload()
    ready(page)
    load(page, saved, name)
    looked.look("reloaded")
    assert looked.wrong == []
