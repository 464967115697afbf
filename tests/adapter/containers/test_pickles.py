"""Claim: every pickle that `torch.save` makes of a LoRA is read, and none may call anything but what makes tensors."""

import io
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch
from owf.core.adapter import match, read_adapter
from owf.core.adapter.containers.pickle_opcodes import plain
from owf.core.errors import AdapterError
from safetensors.torch import save_file


def _same_change(left, right, base):
    reports = [match(read_adapter(path, allow_pickle=True), base.components) for path in (left, right)]
    assert reports[0].problems == reports[1].problems == ()
    left, right = (sorted((norm.change, norm.base) for norm in report.norms) for report in reports)
    assert left == right


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_any_protocol_and_element_type(protocol, dtype, base, kohya_tensors, tmp_path):
    tensors = {name: tensor.to(getattr(torch, dtype)) for name, tensor in kohya_tensors().items()}
    save_file(tensors, tmp_path / "x.safetensors")
    torch.save(OrderedDict(tensors), tmp_path / "x.pt", pickle_protocol=protocol)
    _same_change(tmp_path / "x.pt", tmp_path / "x.safetensors", base)


@pytest.mark.parametrize("protocol", [2, 4])
def test_parameters_shared_storages_and_repeated_text(protocol, base, kohya_tensors, tmp_path):
    whole = {name: torch.nn.Parameter(tensor) for name, tensor in kohya_tensors().items()}
    save_file({name: tensor.detach() for name, tensor in whole.items()}, tmp_path / "x.safetensors")
    torch.save({"state_dict": whole, "note": "note", "again": "note"}, tmp_path / "x.pt", pickle_protocol=protocol)
    _same_change(tmp_path / "x.pt", tmp_path / "x.safetensors", base)


def _archive(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", content)
        archive.writestr("x/version", "3")
    return path


class _Calls:
    def __init__(self, function, *arguments):
        self.how = function, arguments

    def __reduce__(self):
        return self.how


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("function", [print, bytearray, eval, torch.load, torch.ones, OrderedDict.fromkeys])
def test_nothing_else_is_called_in_any_protocol(protocol, function, tmp_path, capsys):
    content = pickle.dumps({"x": _Calls(function, "1")}, protocol)
    with pytest.raises(AdapterError):
        read_adapter(_archive(tmp_path / "x.pt", content), allow_pickle=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8c\x08builtins\x94\x8c\x05print\x94\x93)R.",  # as any pickler writes it
        b"\x80\x04\x8c\x08builtins\x94\x8c\x01x\x94\x8c\x05printh\x00\x8c\x05print\x93)R.",  # recalled
        b"\x80\x04\x8c\x05torch\x8c\x0bByteStorage0\x8c\x05print\x93)R.",  # the name is put together on the stack
        b"\x80\x04}\x94\x8c\x05print\x93)R.",  # half of it is no text
        b"\x80\x04\x8c\x05torch\x8c\x11FloatStorage\nprint\x93)R.",
        b"\x80\x04\x8c\x0dtorch\nprint\nx\x8c\x0cFloatStorage\x93)R.",
        b"\x80\x02ctorch.storage\nUntypedStorage\n\x8a\x06" + (2**40).to_bytes(6, "little") + b"\x85R.",
        b"\x80\x04\x8c\x0dtorch.storage\x8c\x0eUntypedStorage\x93\x8a\x06" + (2**40).to_bytes(6, "little") + b"\x85R.",
    ],
)
def test_hand_made_pickles_are_refused(content, tmp_path, capsys):
    with pytest.raises(AdapterError):
        read_adapter(_archive(tmp_path / "x.pt", content), allow_pickle=True)
    assert capsys.readouterr().out == ""


def test_text_that_is_recalled_again_and_again_is_a_bomb():
    content = b"\x80\x04\x8c\xff" + b"a" * 255 + b"\x94" + b"h\x00" * 100_000 + b"."
    with pytest.raises(AdapterError, match="again and again"):
        plain(content)


@pytest.mark.parametrize("protocol", range(6))
def test_protocol_2_says_the_same(protocol):
    value = {"a": ["text", "text", 1, 2.5, None, True, ("x",) * 5], "b" * 300: 2**70, "text": OrderedDict(c="\u0436")}
    said = plain(pickle.dumps(value, protocol))
    assert said.startswith(b"\x80\x02") or protocol < 2
    assert pickle.load(io.BytesIO(said)) == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_formats_without_an_archive_are_called_so_and_not_a_risk_that_was_taken(tmp_path, kohya_tensors, protocol):
    torch.save(kohya_tensors(), tmp_path / "old.pt", _use_new_zipfile_serialization=False, pickle_protocol=protocol)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"x": 1}, protocol))
    for name in ("old.pt", "plain.pt"):
        with pytest.raises(AdapterError, match=r"before 1\.6.*not read") as caught:
            read_adapter(tmp_path / name, allow_pickle=True)
        assert "can run code" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_an_archive_without_its_end_was_cut_off(tmp_path, kohya_tensors, share):
    torch.save(kohya_tensors(), tmp_path / "x.pt")
    content = (tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(AdapterError, match="cut off"):
        read_adapter(tmp_path / "x.pt", allow_pickle=True)
