"""Files are asked as the base that they are, in pictures and times, whatever base the settings beside them are of."""

import json

import pytest
import torch
from original_names import names_in_a_file
from owf.core import families
from owf.core.model.base import BaseChoice, load_base
from owf.core.model.names import base_names, contradiction
from safetensors.torch import save_file
from tiny_flows import PARTS, save_folder

CPU = torch.device("cpu")


def _file(family, name, folder, tmp_path, monkeypatch):
    """Return a transformer in a file, whose other parts and settings are those of a folder."""
    (tmp_path / "config.toml").write_text(f'[bases]\n{family} = "{folder}"\n')
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    save_file(names_in_a_file(PARTS[family]()), tmp_path / name)
    return BaseChoice(str(tmp_path / name), "file")


def _asked(choice):
    """Return the noisier half's middle, which a shift moves, and how the base is drawn with."""
    names = base_names(choice)
    loaded = load_base(choice, CPU, torch.float32, offline=True, names=names)
    schedule = loaded.schedule
    return float(schedule.sigma[schedule.steps // 2]), families.get(loaded.family).drawing((loaded.name, *names))


def _middle(shift):
    """Return the same of a static shift of so many times, by hand."""
    return lambda steps: shift * (steps // 2 + 1) / steps / (1 + (shift - 1) * (steps // 2 + 1) / steps)


@pytest.mark.parametrize("distilled", [False, True])
def test_a_krea_2_has_the_times_and_steps_of_its_name(distilled, tmp_path, monkeypatch):
    folder = save_folder("krea2", PARTS["krea2"](distilled=not distilled), tmp_path / "base")
    name = "krea2_turbo_bf16.safetensors" if distilled else "krea2_raw_bf16.safetensors"
    choice = _file("krea2", name, folder, tmp_path, monkeypatch)
    sigma, drawing = _asked(choice)
    own = save_folder("krea2", PARTS["krea2"](distilled=distilled), tmp_path / "own")
    expected, drawn = _asked(BaseChoice(str(own), "folder"))
    other, _ = _asked(BaseChoice(str(folder), "folder"))
    assert sigma == expected != other
    assert drawing.steps == drawn.steps == (8 if distilled else 28)
    assert "as the former" in contradiction(choice)


@pytest.mark.parametrize("distilled", [False, True])
def test_a_krea_2_of_no_telling_name_is_what_the_settings_are_of(distilled, tmp_path, monkeypatch):
    folder = save_folder("krea2", PARTS["krea2"](distilled=distilled), tmp_path / "base")
    choice = _file("krea2", "mine.safetensors", folder, tmp_path, monkeypatch)
    sigma, drawing = _asked(choice)
    assert sigma == _asked(BaseChoice(str(folder), "folder"))[0]
    assert drawing.is_distilled is distilled
    assert contradiction(choice) == ""


CASES = [
    ("z_image_turbo_bf16", 6.0, 3.0, 8),
    ("z_image_turbo_bf16", 3.0, 3.0, 8),
    ("z_image_bf16", 3.0, 6.0, 0),
    ("z_image_de_turbo_v1", 6.0, 3.0, 0),
    ("mine", 6.0, 6.0, 0),
    ("mine", 3.0, 3.0, 8),
    ("z_image_bf16", 4.5, 4.5, 0),  # the user's own
]


@pytest.mark.parametrize(("name", "beside", "shift", "steps"), CASES)
def test_a_z_image_has_the_shift_and_steps_of_its_name(name, beside, shift, steps, tmp_path, monkeypatch):
    folder = save_folder("z_image", PARTS["z_image"](), tmp_path / "base")
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shift": beside}))
    choice = _file("z_image", f"{name}.safetensors", folder, tmp_path, monkeypatch)
    sigma, drawing = _asked(choice)
    assert sigma == pytest.approx(_middle(shift)(1000), abs=1e-12)
    assert drawing.steps == steps
    assert bool(contradiction(choice)) is (shift != beside)
