# pyright: reportAttributeAccessIssue=false
"""Coverage-guided fuzzing of the LoRA reader; docs/adapter.md has the command.

Even inputs are whole files, odd ones describe tensors that are then laid out soundly, so that the fuzzer
also gets past the container. The only exception allowed is AdapterError, and no answer may take
2 seconds of processor time.
"""

import json
import struct
import sys
import tempfile
import time
from pathlib import Path

import atheris
import torch

from .. import checkout  # noqa: F401 - binds owf

with atheris.instrument_imports(include=["owf"]):
    from owf.core.adapter.apply.match_report import match
    from owf.core.adapter.naming.names import _ENDINGS
    from owf.core.adapter.reader import read_adapter
    from owf.core.adapter.summary import summarise
    from owf.core.errors import AdapterError

STEMS = (
    "lora_unet_mid_block_attentions_0_proj_in",
    "lora_unet_middle_block_1_proj_in",
    "lora_te_text_model_encoder_layers_0_mlp_fc1",
    "unet.mid_block.attentions.0.proj_in",
    "base_model.model.mid_block.attentions.0.proj_in",
    "text_encoder.text_model.encoder.layers.0.mlp.fc1",
    "diffusion_model.middle_block.1.norm",
    "lycoris_mid_block_attentions_0_norm",
    "lora_unet_double_blocks_0_img_attn_qkv",
    "mid_block.attentions.0.processor.to_q",
)
TYPES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F64": 8, "I64": 8, "I8": 1, "BOOL": 1}
RECIPES = (  # endings and shapes that fit the (16, 8) layers; single sides of them are changed at random
    ((".lora_up.weight", (16, 2)), (".lora_down.weight", (2, 8)), (".alpha", ())),
    ((".lora_up.weight", (16, 2, 1, 1)), (".lora_mid.weight", (2, 2, 1, 1)), (".lora_down.weight", (2, 8, 1, 1))),
    (
        (".lora_A.weight", (2, 8)),
        (".lora_B.weight", (16, 2)),
        (".lora_magnitude_vector", (16,)),
        (".lora_B.bias", (16,)),
    ),
    (
        (".hada_w1_a", (16, 2)),
        (".hada_w1_b", (2, 8)),
        (".hada_w2_a", (16, 2)),
        (".hada_w2_b", (2, 8)),
        (".alpha", (1,)),
    ),
    ((".lokr_w1", (4, 2)), (".lokr_w2_a", (4, 2)), (".lokr_w2_b", (2, 4)), (".dora_scale", (16, 1))),
    (
        (".lokr_w1_a", (4, 1)),
        (".lokr_w1_b", (1, 2)),
        (".lokr_t2", (2, 2, 1)),
        (".lokr_w2_a", (2, 4)),
        (".lokr_w2_b", (2, 4)),
    ),
    ((".oft_blocks", (4, 4, 4)), (".rescale", (16, 1)), (".alpha", ())),
    ((".oft_blocks", (2, 4, 4, 4)), (".alpha", ())),
    ((".a1.weight", (8, 2)), (".a2.weight", (2, 8)), (".b1.weight", (16, 2)), (".b2.weight", (2, 8))),
    ((".weight", (16,)), (".on_input", ())),
    ((".diff", (16, 8)), (".diff_b", (16,))),
    ((".w_norm", (8,)), (".b_norm", (8,))),
)
SIDES = (0, 1, 2, 3, 4, 8, 16, 70_000)
FILE = Path(tempfile.mkdtemp(prefix="fuzz_adapter_")) / "x.safetensors"


def tiny_base() -> dict:
    """Return live modules with the names that the stems reach."""
    part = torch.nn.ModuleDict({"proj_in": torch.nn.Conv2d(8, 16, 1), "norm": torch.nn.GroupNorm(4, 8)})
    unet = torch.nn.ModuleDict({"mid_block": torch.nn.ModuleDict({"attentions": torch.nn.ModuleList([part])})})
    mlp = torch.nn.ModuleDict({"mlp": torch.nn.ModuleDict({"fc1": torch.nn.Linear(8, 16)})})
    text = torch.nn.ModuleDict({"encoder": torch.nn.ModuleDict({"layers": torch.nn.ModuleList([mlp])})})
    return {"unet": unet.requires_grad_(False), "text_encoder": text.requires_grad_(False)}


BASE = tiny_base()


def laid_out(data: bytes) -> bytes:
    """Return a sound file with the tensors that `data` describes."""
    give = atheris.FuzzedDataProvider(data)
    header, body = {"__metadata__": {}}, b""
    for _ in range(give.ConsumeIntInRange(0, 3)):
        key = give.PickValueInList(["ss_tag_frequency", "ss_bucket_info", "lora_adapter_metadata", "ss_resolution"])
        header["__metadata__"][key] = give.ConsumeUnicodeNoSurrogates(60)
    for name, shape in _tensors(give):
        dtype = give.PickValueInList(list(TYPES)) if give.ConsumeIntInRange(0, 5) == 0 else "F32"
        size = TYPES[dtype]
        for side in shape:
            size *= side
        if size > 4096 or name in header:
            continue
        content = give.ConsumeBytes(size).ljust(size, give.PickValueInList([b"\0", b"\x3c", b"\xff"]))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + size]}
        body += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def _tensors(give: atheris.FuzzedDataProvider) -> list:
    """Return names and shapes: whole recipes, some of their sides changed, and single tensors."""
    found = []
    for _ in range(give.ConsumeIntInRange(0, 3)):
        stem = give.PickValueInList(list(STEMS)) if give.ConsumeBool() else give.ConsumeUnicodeNoSurrogates(20)
        for ending, shape in give.PickValueInList(list(RECIPES)):
            changed = [_side(give, side) for side in shape]
            found.append((stem + ending, changed))
        if give.ConsumeBool():
            ending = give.PickValueInList(list(_ENDINGS))[0]
            found.append((stem + ending, [_side(give, 16) for _ in range(give.ConsumeIntInRange(0, 4))]))
    return found


def _side(give: atheris.FuzzedDataProvider, side: int) -> int:
    return give.PickValueInList(list(SIDES)) if give.ConsumeIntInRange(0, 9) == 0 else side


def check(data: bytes) -> None:
    """Read one input; raises for anything but a clean answer or AdapterError."""
    FILE.write_bytes(laid_out(data[1:]) if data[:1] and data[0] % 2 else data[1:])
    start = time.process_time()
    try:
        adapter = read_adapter(FILE)
        summary = summarise(adapter)
        json.dumps(summary.training)
        shown = (
            *summary.warnings,
            *summary.trigger_words,
            *summary.unknown,
            *summary.bundled,
            *summary.problems,
            *summary.broken,
        )
        assert all(text.isprintable() for text in shown), shown
        report = match(adapter, BASE)
        assert report.matched or report.problems
        assert report.not_finite or report.delta_norm == report.delta_norm
    except AdapterError as error:
        if not str(error).isprintable():
            raise
    assert time.process_time() - start < 2


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
