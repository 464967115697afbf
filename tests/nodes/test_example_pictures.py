"""Pictures of the workflows: ComfyUI's template browser has one for each, and those of the documentation load them."""

import json
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_a_picture_that_can_be_read(path):
    # As `docs/comfyui_pictures.py` takes it; ComfyUI's template browser looks for a .jpg.
    with Image.open(path.with_suffix(".jpg")) as picture:
        assert max(picture.size) == 960 and min(picture.size) >= 240


@pytest.mark.parametrize("name", ["comfyui-audit", "comfyui-light"])
def test_a_picture_of_the_documentation_loads_its_workflow_when_it_is_dropped(name):
    with Image.open(ROOT / "docs" / f"{name}.png") as picture:
        assert json.loads(picture.info["workflow"]) == json.loads(
            (ROOT / "example_workflows" / "audit_a_lora.json").read_text()
        )
