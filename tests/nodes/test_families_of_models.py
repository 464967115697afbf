"""Which family a MODEL of ComfyUI is of: by the class of its configuration, the nearest one that is known."""

from types import SimpleNamespace

import pytest
from owf.core import families
from owf.nodes.backend.model.families import _NAMES, family_of

PARENTS = {"Flux2": "Flux", "ZImage": "Lumina2", "FluxSchnell": "Flux"}
"""Configurations of ComfyUI's that are subclasses of another family's."""


def _model(name, **settings):
    parent = type(PARENTS[name], (), {}) if name in PARENTS else object
    return SimpleNamespace(model_config=type(name, (parent,), {"unet_config": settings})())


@pytest.mark.parametrize("name", _NAMES)
def test_every_name_is_that_of_a_family(name):
    kind = family_of(_model(name))
    assert kind.name == _NAMES[name]
    assert (kind.title, kind.resolution) == (families.get(kind.name).title, families.get(kind.name).resolution)


@pytest.mark.parametrize(
    ("width", "family"), [(3072, "flux2_klein"), (4096, "flux2_klein_9b"), (6144, "flux2"), (1, "flux2")]
)
def test_flux_2_is_told_by_its_width(width, family):
    assert family_of(_model("Flux2", hidden_size=width)).name == family


def test_what_is_not_known_is_custom():
    assert family_of(_model("SomethingNew")).name == "custom"


@pytest.mark.parametrize("setting", ["default_ref_method", "use_additional_t_cond"])
def test_a_qwen_image_that_edits_is_custom(setting):
    assert family_of(_model("QwenImage", **{setting: "index_timestep_zero"})).name == "custom"
    assert family_of(_model("Flux2", hidden_size=3072, default_ref_method="index")).name == "flux2_klein"
