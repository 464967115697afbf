"""Write locales/, ComfyUI's texts of the nodes in other languages, from texts.csv: `python -m bench.comfyui.locales`.

The English texts are those of the schemas, and a row of the table for each says the same in the other languages. Names
of inputs and outputs stay as they are, because messages, help pages and other nodes call them so.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "locales"
TABLE = FOLDER / "texts.csv"
LANGUAGES = ("en", "zh", "ja", "ko", "de")
OUTERMOST = "OWF"
"""The category of all nodes: a name, the same in every language."""

Nodes = dict[str, dict[str, Any]]
"""Node id -> what its schema says, as tests/nodes/walks/schemas.py has it."""


def read_table() -> dict[str, dict[str, str]]:
    """Return each English text with the text in every language."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["en"]: row for row in csv.DictReader(file)}


def texts(nodes: Nodes) -> Iterator[str]:
    """Yield every English text of the nodes."""
    for node in nodes.values():
        yield from (node["name"], node["about"])
        yield from _categories(node)
        yield from (settings["tooltip"] for _, _, settings in (*node["inputs"], *node["outputs"]))


def locale(nodes: Nodes, word: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """Return the files of one language by their name, in ComfyUI's layout."""
    categories = sorted({name for node in nodes.values() for name in _categories(node)})
    definitions = {
        name: {
            "display_name": word(node["name"]),
            "description": word(node["about"]),
            "inputs": {name: {"tooltip": word(settings["tooltip"])} for _, name, settings in node["inputs"]},
            "outputs": {
                str(place): {"tooltip": word(settings["tooltip"])}
                for place, (_, _, settings) in enumerate(node["outputs"])
            },
        }
        for name, node in sorted(nodes.items())
    }
    return {"main.json": {"nodeCategories": {name: word(name) for name in categories}}, "nodeDefs.json": definitions}


def files(nodes: Nodes, table: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the contents of all files of `locales`, by their path in it."""
    found = {}
    for language in LANGUAGES:
        for name, content in locale(nodes, lambda text, to=language: table[text][to]).items():
            found[f"{language}/{name}"] = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    return found


def _categories(node: dict[str, Any]) -> list[str]:
    return [name for name in node["category"].split("/") if name != OUTERMOST]


def schemas() -> Nodes:
    """Return what the schemas say on the stub host of the tests: no ComfyUI is needed."""
    tests = ROOT / "tests"
    stub = (tests / "nodes" / "stub_host", tests / "nodes" / "walks" / "schemas.py")
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-I", str(tests / "support" / "walk.py"), str(ROOT), *map(str, stub), "[]"]
        environment = {**os.environ, "STUB_HOME": home}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    answer = next(line for line in done.stdout.splitlines() if line.startswith("ANSWER "))
    return json.loads(answer.removeprefix("ANSWER "))["nodes"]


def main() -> None:
    """Write them all."""
    for name, content in files(schemas(), read_table()).items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
