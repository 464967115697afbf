"""A template with our style and script as one self-contained HTML page, deaf to what strangers write."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...text import inert

_HERE = Path(__file__).parent


def render_page(template: str, view: Any, styles: tuple[str, ...], scripts: tuple[str, ...] = ()) -> str:
    """Return the page of a template and its view, with our style sheets and our scripts inside."""
    style, code = (Markup("\n").join(map(_asset, names)) for names in (styles, scripts))
    page = _environment().get_template(template)
    return page.render(view=view, style=style, script=code, policy=_policy(style, code))


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inert"] = _inert
    return environment


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
