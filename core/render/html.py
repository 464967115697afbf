"""One self-contained HTML file per report: it opens offline and asks the network for nothing."""

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

from ..report import Report, write_text
from ..text import inert
from .view import view

NAME = "report.html"
"""File name of the HTML report."""
_HERE = Path(__file__).parent


def write_html(report: Report, folder: Path) -> Path:
    """Return the path of the report.html written into the report's folder, images and all."""
    path = Path(folder) / NAME
    write_text(path, render_html(report, Path(folder)))
    return path


def render_html(report: Report, folder: Path) -> str:
    """Return the report as one HTML page; the images of its pairs are read from `folder`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inert"] = _inert
    style, script = _asset("report.css"), _asset("report.js")
    page = environment.get_template("report.html.j2")
    return page.render(view=view(report, folder), style=style, script=script, policy=_policy(style, script))


def _inert(value: object, limit: int = 200) -> str:
    return inert(str(value), limit)


def _asset(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # our own file, not a stranger's


def _policy(style: str, script: str) -> str:
    """Return a content security policy under which only our own style and script take effect."""
    rules = ["default-src 'none'", "img-src data:", f"style-src '{_hash(style)}'", f"script-src '{_hash(script)}'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
