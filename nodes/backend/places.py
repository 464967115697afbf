"""Where files are read from and written to: ComfyUI's own folders, and what the user's links in them lead to."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from ...core.demo import DEMO_LORAS
from ...core.disk.files import scan
from ...core.errors import UsageError

_MARK = "[demo] "
"""Begins the choices for LoRAs that ship with the demo base."""
DEMO = f"{_MARK}owf_demo_plain.safetensors"
"""Choice for the ordinary one."""
NONE = "none"
"""Choice for no file."""
DEMO_BASE = "[demo]"
"""What the page calls the base that ships, where it tells on which base a graph will run."""


def output_folder() -> Path:
    """Return ComfyUI's output folder."""
    import folder_paths

    return _absolute(folder_paths.get_output_directory())


def reports_folder() -> Path:
    """Return the folder of all audits, below ComfyUI's output folder."""
    return output_folder() / "owf"


def loras_folder() -> Path:
    """Return the folder of trained LoRAs, which ComfyUI lists too."""
    return output_folder() / "loras"


def cache_folder() -> Path:
    """Return the folder of base results; deleting it costs only time."""
    return reports_folder() / "cache"


def lora_choices() -> list[str]:
    """Return what a LoRA input offers: none, the demo's, and ComfyUI's files."""
    import folder_paths

    return [NONE, *_shipped(), *folder_paths.get_filename_list("loras")]


def _shipped() -> dict[str, Path]:
    return {_MARK + path.name: path for path in DEMO_LORAS}


def lora_path(choice: str) -> Path:
    """Return the file of a choice; raise UsageError if it is not one of ComfyUI's LoRA files."""
    import folder_paths

    if choice in _shipped():
        return _shipped()[choice]
    if choice not in folder_paths.get_filename_list("loras"):
        raise UsageError(f"lora {choice!r} is not among ComfyUI's LoRA files; refresh the page and choose another.")
    return Path(folder_paths.get_full_path_or_raise("loras", choice))


def loras_named(text: str) -> list[str]:
    """Return the choices that a text names, a line each: a file, a folder of ComfyUI's list, or a name with *.

    An empty text names all of ComfyUI's files. Raises UsageError for a line that names none.
    """
    shipped, own = list(_shipped()), lora_choices()[1 + len(_shipped()) :]
    lines = [line.strip().replace("\\", "/").rstrip("/") for line in text.splitlines() if line.strip()]
    found = {name: None for line in lines for name in _matching(line, [*shipped, *own])}
    if not lines:
        found = dict.fromkeys(own)
    if not found:
        raise UsageError("ComfyUI lists no LoRA: put some into its folder models/loras, or name others.")
    return list(found)


def _matching(line: str, names: Sequence[str]) -> list[str]:
    plain = {name: name.replace("\\", "/") for name in names}
    found = [name for name in names if _fits(line, plain[name]) or plain[name].startswith(f"{line}/")]
    if not found:
        raise UsageError(f"loras names {line[:120]!r}, and ComfyUI lists no LoRA or folder of LoRAs that is called so.")
    return found


def _fits(line: str, name: str) -> bool:
    """Return whether a name is what a line says, in which a star stands for anything.

    What is between stars is taken where it first fits, so that no line takes long, however many stars it has: an
    expression with as many would try every way of dividing the name.
    """
    first, *between = line.split("*")
    if not between:
        return name == line
    last = between.pop()
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    place, end = len(first), len(name) - len(last)
    for part in between:
        place = name.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def file_mark(path: Path) -> str:
    """Return what changes when the file does: its size and time."""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def folder_mark(folder: Path) -> str:
    """Return what changes when a file anywhere below the folder does: names, sizes and times."""
    files = scan(folder, lambda _: ()).files
    return "|".join(f"{path.relative_to(folder)}-{file_mark(path)}" for path in files)


def input_folder(name: str) -> Path:
    """Return the folder `name` below ComfyUI's input folder; raise UsageError if it is elsewhere or missing."""
    import folder_paths

    return _below(Path(folder_paths.get_input_directory()), name, "input")


def input_mark(name: str) -> str:
    """Return what changes when anything in the folder `name` below ComfyUI's input folder does; "" for no name."""
    return folder_mark(input_folder(name)) if name else ""


def report_choices() -> list[str]:
    """Return the reports below ComfyUI's output folder, the newest first."""
    root = reports_folder()
    files = sorted(root.glob("*/report.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.parent.relative_to(root).as_posix() for path in files]


def report_file(name: str) -> Path:
    """Return the report.json of a report below ComfyUI's output folder."""
    return _below(reports_folder(), name, "output/owf") / "report.json"


def _below(root: Path, name: str, title: str) -> Path:
    """Return the folder; links that lie in `root` may lead elsewhere, as they may for ComfyUI itself."""
    root = _absolute(root)
    folder = root if "\0" in name else _absolute(root / name)
    if "\0" in name or not folder.is_relative_to(root) or not folder.is_dir():
        raise UsageError(f"There is no folder {name!r} below ComfyUI's {title} folder.")
    return folder


def _absolute(path: Path | str) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve would follow links


def view_url(path: Path) -> str:
    """Return the address of a file below the output folder on ComfyUI's own view route."""
    relative = _absolute(path).relative_to(output_folder())
    subfolder = relative.parent.as_posix() if relative.parent != Path() else ""
    return "/view?" + urlencode({"filename": relative.name, "subfolder": subfolder, "type": "output"}, errors="replace")
