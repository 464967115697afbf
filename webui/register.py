"""What the host is told at its start: settings, tab, routes. A function call, for "Reload UI" runs scripts again, and
not packages."""

from typing import Any


def register() -> None:
    """Add OWF to the host that is loading scripts."""
    from modules import script_callbacks

    from . import host

    script_callbacks.on_ui_settings(host.add_settings)
    script_callbacks.on_ui_tabs(_tab)
    script_callbacks.on_app_started(_routes)


def _tab() -> list[tuple[Any, str, str]]:
    from .tab import ID, LABEL, Tab

    return [(Tab(), LABEL, ID)]


def _routes(_: Any, app: Any) -> None:
    from .api import add_routes

    add_routes(app)
