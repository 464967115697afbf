"""What the host is told at its start: settings, tab, routes. A function call, for "Reload UI" runs scripts again, and
not packages."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any


def register() -> None:
    """Add OWF to the host that is loading scripts."""
    # Hosts look up the module of every frame of who registers, and those that load scripts are in none: in Forge, with
    # its thousands of modules, a tenth of a second for each callback. A thread has a stack of its own.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_register).result()


def _register() -> None:
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
