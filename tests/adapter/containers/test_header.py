"""A header that is JSON, but not one of a safetensors file, is told by what is wrong with it."""

import json
import struct

import pytest
from owf.core.adapter.containers.safetensors import open_safetensors
from owf.core.errors import AdapterError
from safetensors import safe_open

TENSOR = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def written(tmp_path, **header):
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    return path


def test_metadata_that_are_null_are_none_as_in_the_library(tmp_path):
    path = written(tmp_path, __metadata__=None, x=TENSOR)
    with safe_open(path, framework="numpy") as file:
        assert (file.metadata() or {}, list(file.keys())) == ({}, ["x"])
    opened = open_safetensors(path)
    assert (opened.metadata, list(opened.entries)) == ({}, ["x"])


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"__metadata__": [], "x": TENSOR}, "__metadata__ is no table of texts"),
        ({"__metadata__": 3, "x": TENSOR}, "__metadata__ is no table of texts"),
        ({"__metadata__": "", "x": TENSOR}, "__metadata__ is no table of texts"),
        ({"__metadata__": {"rank": 4}, "x": TENSOR}, "rank in __metadata__ is no text"),
        ({"__metadata__": {"rank": None}, "x": TENSOR}, "rank in __metadata__ is no text"),
        ({"x": None, "y": TENSOR}, "tensor x: its description is not a table"),
        ({"x": [TENSOR]}, "tensor x: its description is not a table"),
        ({"x": "F32", "y": TENSOR}, "tensor x: its description is not a table"),
    ],
)
def test_what_is_json_is_not_called_otherwise(tmp_path, header, words):
    with pytest.raises(AdapterError, match=words) as caught:
        open_safetensors(written(tmp_path, **header))
    assert "not valid JSON" not in str(caught.value)
