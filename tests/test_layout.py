"""The repository is a package, a ComfyUI pack and a wheel at once."""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = [p for d in ("core", "cli", "nodes", "webui") for p in (ROOT / d).rglob("*.py")] + [ROOT / "__init__.py"]

FOLDERS = {"owf", "core", "cli", "nodes", "webui", "bench", "demo_base"}


def test_pyproject_lists_every_subpackage():
    text = (ROOT / "pyproject.toml").read_text()
    listed = set(re.findall(r'"(owf(?:\.\w+)*)"', text.split("packages = [")[1].split("]")[0]))
    found = {
        ".".join(("owf", *p.parent.relative_to(ROOT).parts))
        for d in ("core", "cli", "nodes", "webui")
        for p in (ROOT / d).rglob("__init__.py")
    }
    assert listed == found | {"owf"}


MOST = 12
"""Modules side by side in a folder: what a reader looks over."""
REGISTRIES = {
    "core/adapter/algorithms": "ALGORITHM",
    "core/datasets": "DATASET",
    "core/experiments": "EXPERIMENT",
    "core/families": "FAMILY",
    "core/metrics": "METRIC",
    "core/render/formats": "FORMAT",
    "core/train/preserve": "TERM",
}
"""Folder -> what its records are called: one file each, all alike, however many. What else lies there is counted."""


def test_no_folder_holds_more_modules_than_a_reader_looks_over():
    folders = {}
    for path in [*CODE, *(ROOT / "bench").rglob("*.py")]:
        if path.name != "__init__.py":
            folders.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path)
    assert REGISTRIES.keys() <= folders.keys()
    for folder, record in REGISTRIES.items():
        folders[folder] = [path for path in folders[folder] if not re.search(rf"^{record} = ", path.read_text(), re.M)]
    assert {folder: len(modules) for folder, modules in folders.items() if len(modules) > MOST} == {}


def test_code_imports_itself_only_relatively():
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            bad = [n for n in names if n.split(".")[0] in FOLDERS]
            assert not bad, f"{path}: {bad}"


LOAD_BY_PATH = ROOT / "tests" / "support" / "load_by_path.py"


def test_loads_by_path_from_any_folder_name_without_torch(tmp_path):
    pack = tmp_path / "My-OWF pack.v2"
    pack.symlink_to(ROOT, target_is_directory=True)
    for folder in (pack, ROOT):
        command = [sys.executable, "-I", str(LOAD_BY_PATH), str(folder)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.stdout.strip(), result.returncode) == ("[]", 0), result.stderr


@pytest.mark.timeout(300)
def test_wheel_has_one_top_level_name_and_the_data(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == {"owf"}
    for needed in (
        "owf/py.typed",
        "owf/core/verdict/report.schema.json",
        "owf/cli/events.schema.json",
        "owf/core/plan/vocabularies/sentences.txt",
        "owf/core/train/data/banks/open_world.txt",
        "owf/core/audit/learned/looks/open_world.txt",
        "owf/core/render/html/report.html.j2",
        "owf/core/render/html/overview.html.j2",
        "owf/core/render/html/overview.css",
        "owf/core/render/html/overview.js",
        "owf/core/render/html/table_sort.js",
        "owf/core/render/html/macros.html.j2",
        "owf/core/families/configs/sd15/unet/config.json",
        "owf/core/families/configs/sd15/tokenizer/vocab.json",
        "owf/core/families/configs/sdxl/text_encoder_2/config.json",
        "owf/core/families/configs/sdxl/tokenizer_2/tokenizer_config.json",
        "owf/demo/base/unet/diffusion_pytorch_model.safetensors",
        "owf/demo/base/model_index.json",
        "owf/demo/probes.npz",
        "owf/demo/concept/sks_pullover_1.png",
        "owf/demo/lora/owf_demo_plain.safetensors",
    ):
        assert needed in names, needed
    assert not [n for n in names if n.startswith(("owf/tests", "owf/bench", "owf/demo/work"))]
    assert not [n for n in names if n.startswith("owf/demo/") and n.endswith(".py")]


def test_runs_from_a_checkout_without_installing(tmp_path):
    pack = tmp_path / "My-OWF pack.v2"
    pack.symlink_to(ROOT, target_is_directory=True)
    result = subprocess.run([sys.executable, "-I", str(pack), "--help"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "owf-audit" in result.stdout


def test_only_the_backend_and_one_file_import_diffusers():
    importers = {p for p in CODE if re.search(r"^\s*(from|import) diffusers", p.read_text(), re.MULTILINE)}
    # The backend loads and runs models; the other borrows the name tables for LoRAs of transformers.
    allowed = {
        *(ROOT / "core" / "model" / "backends").glob("*.py"),
        *(ROOT / "core" / "model" / "backends" / "files").glob("*.py"),
        ROOT / "core" / "adapter" / "apply" / "convert.py",
    }
    assert importers <= allowed


def test_webui_hosts_find_one_short_script_and_no_package_in_its_folder():
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.name != "__pycache__"]
    assert [path.name for path in scripts] == ["owf_webui.py"]
    assert len(scripts[0].read_text().splitlines()) <= 40
