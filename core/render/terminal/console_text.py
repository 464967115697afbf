"""Text that any console can print: inert, and without signs that its encoding lacks."""

from typing import TYPE_CHECKING

from ...text import inert

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_PLAIN = str.maketrans(
    {"−": "-", "–": "-", "Δ": "d", "✓": "+", "✗": "x", "…": "...", "∞": "inf", "•": "*"}
    | {"░": ".", "▒": "-", "▓": "=", "█": "#"}
)


def console_text(console: "Console", value: str, style: str = "", limit: int = 200) -> "Text":
    """Return `value` as a rich text without markup, in characters that the console's encoding has."""
    from rich.text import Text

    shown = inert(value, limit)
    try:
        shown.encode(console.encoding)
    except UnicodeEncodeError:
        shown = shown.translate(_PLAIN).encode(console.encoding, "replace").decode(console.encoding)
    return Text(shown, style=style)
