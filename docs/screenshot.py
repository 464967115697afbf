"""Take a screenshot of an HTML report in a real browser.

    pip install playwright && playwright install chromium
    python docs/screenshot.py owf-reports/demo/report.html docs/report.png
    python docs/screenshot.py report.html phone.png --width 375 --dark --full

`--browser PATH` uses an installed Chromium instead of playwright's own.
"""

import argparse
from pathlib import Path
from typing import Any

_QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def main() -> None:
    """Write the picture that the command line asks for."""
    options = parse()
    problems = take(options)
    if problems:
        raise SystemExit("The page reported: " + "; ".join(problems))


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Take a screenshot of an HTML report.")
    parser.add_argument("report", type=Path, help="HTML file")
    parser.add_argument("picture", type=Path, help="PNG file to write")
    parser.add_argument("--width", type=int, default=1120, help="viewport width in pixels (default %(default)s)")
    parser.add_argument("--height", type=int, default=900, help="viewport height in pixels (default %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels per CSS pixel")
    parser.add_argument("--dark", action="store_true", help="dark colour scheme")
    parser.add_argument("--full", action="store_true", help="the whole page, not only the first screen")
    parser.add_argument("--browser", default=None, help="path of an installed Chromium")
    return parser.parse_args()


def take(options: argparse.Namespace) -> list[str]:
    """Return what the page complained about while its picture was taken: errors, and anything it tried to load."""
    from playwright.sync_api import sync_playwright

    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=_QUIET.split())
        page = browser.new_page(
            viewport={"width": options.width, "height": options.height},
            device_scale_factor=options.scale,
            color_scheme="dark" if options.dark else "light",
        )
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.extend(_outside(request.url)))
        page.goto(options.report.resolve().as_uri(), wait_until="load")
        if options.full:
            _visit(page, options.height)
        page.screenshot(path=str(options.picture), full_page=options.full)
        browser.close()
    return problems


def _visit(page: Any, step: int) -> None:
    """Scroll through the page once, because pictures load only when they come into view."""
    for top in range(0, page.evaluate("document.documentElement.scrollHeight"), step):
        page.evaluate(f"window.scrollTo({{top: {top}, behavior: 'instant'}})")
        page.wait_for_timeout(50)
    page.evaluate("window.scrollTo({top: 0, behavior: 'instant'})")
    page.wait_for_timeout(100)


def _outside(url: str) -> list[str]:
    return [] if url.startswith(("file:", "data:")) else [f"it asked for {url[:200]}"]


if __name__ == "__main__":
    main()
