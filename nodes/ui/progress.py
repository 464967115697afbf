"""Progress of a long node: ComfyUI's bar, and events for the node's own panel, with what was drawn last.

ComfyUI's own preview of a running node is not used: it stays below the panel when the node is done.
"""

import base64
import io
import time
from typing import TYPE_CHECKING, Any

from ...core.progress import Progress
from ..backend.host import Bar, check_interrupt

if TYPE_CHECKING:
    import torch

EVENT = "owf.progress"
"""Name of the message that web/owf.js listens to."""
_EVERY = 0.25
"""Seconds between two messages to the browser: faster, nobody could read them."""
_PICTURES = 1.0
"""Seconds between two pictures: what is drawn cannot be looked at faster."""
_SIDE = 256
"""Longest side of a picture in pixels: the panel shows it at about this size."""
_TELLING = 1.0
"""Seconds of a stage after which its speed says something."""


class NodeProgress(Progress):
    """The Progress of `core` on a node; every call raises ComfyUI's own exception when the user pressed cancel."""

    def __init__(self, node_id: str | None) -> None:
        self.resumes = False
        """Whether a run that is cancelled goes on when it is queued again."""
        self._node_id, self._bar = node_id, Bar(1)
        self._total = self._done = 0
        self._title, self._ahead, self._last = "", "", 0.0
        self._picture, self._pictured = "", 0.0
        self._first = self._began = time.monotonic()
        self._before = 0
        self._task, self._number, self._count = "", 0, 1

    def task(self, name: str, number: int, count: int) -> None:
        """Begin one of several runs, the first of which is 0: the bar is its own, and titles name it."""
        self._task, self._number, self._count = name, number, count
        self._total = self._done = self._before = 0
        self._ahead = ""

    def total(self, rows: int) -> None:
        """Learn the length of the bar."""
        self._total, self._first = rows, time.monotonic()

    def ahead(self, text: str) -> None:
        """Show what the run is about to do, from now until its end."""
        self._ahead = text
        self._show(force=True)

    @property
    def seconds_per_row(self) -> float | None:
        """The pace of this run so far; None before it computed anything."""
        return (time.monotonic() - self._first) / self._done if self._done else None

    def stage(self, title: str) -> None:
        """Show what is being done now."""
        self._title = f"{self._task} ({self._number + 1} of {self._count}): {title}" if self._task else title
        self._began, self._before = time.monotonic(), self._done
        self._show(force=True)

    def advance(self, rows: int) -> None:
        """Move the bar."""
        self._done += rows
        self._show()

    def skip(self, rows: int) -> None:
        """Shorten the bar."""
        self._total -= rows

    def part(self, done: int, total: int | None) -> None:
        """Show how far the stage is in a unit of its own, such as bytes, counted from its beginning."""
        self._before = 0
        self._show(done, total or done)

    def preview(self, images: "torch.Tensor") -> None:
        """Show the last of uint8 images (N, 3, H, W) in the panel while the node runs."""
        if time.monotonic() - self._pictured < _PICTURES:
            return
        from PIL.Image import fromarray

        self._pictured = time.monotonic()
        picture, buffer = fromarray(images[-1].movedim(0, -1).contiguous().numpy()), io.BytesIO()
        picture.thumbnail((_SIDE, _SIDE))
        picture.save(buffer, "JPEG")
        self._picture = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        self._show(force=True)

    def _show(self, done: int | None = None, total: int | None = None, *, force: bool = False) -> None:
        check_interrupt()
        if not force and time.monotonic() - self._last < _EVERY:
            return
        self._last = time.monotonic()
        done, total = (self._done, self._total) if done is None or total is None else (done, total)
        self._bar.move(done, total)
        # Of all there is to do, also while a part counts bytes.
        share = (self._number + self._done / max(self._total, 1)) / self._count
        told: dict[str, Any] = {
            "ahead": self._ahead,
            "left": self._left(done, total),
            "share": share,
            "resumes": self.resumes,
        }
        if self._picture:  # the browser keeps it
            told["picture"], self._picture = self._picture, ""
        send(EVENT, self._node_id, {"stage": self._title, "done": done, "total": max(total, 1), **told})

    def _left(self, done: int, total: int) -> float | None:
        """Return the seconds until the end at the speed of this stage; None while that is unknown."""
        elapsed, made = time.monotonic() - self._began, done - self._before
        return elapsed * (total - done) / made if made > 0 and elapsed > _TELLING else None


def send(event: str, node_id: str | None, data: dict[str, Any]) -> None:
    """Send a message about a node to the browser that queued it; does nothing where ComfyUI runs without a server."""
    import sys

    server = getattr(sys.modules.get("server"), "PromptServer", None)
    instance = getattr(server, "instance", None)
    if instance is not None:
        instance.send_sync(event, {"node": node_id, **data}, getattr(instance, "client_id", None))
