"""Pickles of tensors: checked opcode by opcode, and said in the old opcodes that PyTorch's safe reader knows."""

import pickletools
import struct
from collections.abc import Iterator

from ...errors import AdapterError
from ...text import inert
from .memory import DTYPES

SLACK = 1024 * 1024
"""Bytes that anything may grow by when it is unpacked; beyond that, and twice its size, it is a bomb."""
_MAX_STEPS = 500_000
"""Opcodes that are followed: some dozens for each tensor, of which a file has a few thousand."""
_HARMLESS = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_tensor_v3",
    }
)
"""What a pickle of tensors calls. `weights_only` allows more, some of which takes memory without end."""
_SAME = {"torch.storage UntypedStorage": "torch ByteStorage"}
"""Storage of the element types that have no class of their own, such as float8 -> the same bytes under a name that
cannot be called: UntypedStorage(2**40) would take the memory."""
_STRINGS = frozenset({"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"})


def plain(content: bytes) -> bytes:
    """Return a pickle of tensors in protocol 2, which means the same.

    Raises AdapterError where it calls anything but what makes tensors, or takes too many steps or too much memory.
    """
    out = bytearray()
    for piece in _pieces(content):
        out += piece
        if len(out) > 2 * len(content) + SLACK:
            raise AdapterError("the pickle says the same text again and again: it is built to exhaust memory")
    return bytes(out)


def _pieces(content: bytes) -> Iterator[bytes]:
    """Yield the opcodes of protocol 2.

    Strings wait until it is known whether a STACK_GLOBAL, which protocol 2 lacks, takes them as the name of a class;
    those that are remembered are said again where they are recalled.
    """
    waiting: list[str] = []
    strings: dict[int, str] = {}
    memo = set[int]()
    for name, argument, raw in _opcodes(content):
        if name in _STRINGS:
            waiting.append(str(argument))
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            place = len(memo) if name == "MEMOIZE" else int(str(argument))
            memo.add(place)
            if waiting:
                strings[place] = waiting[-1]
            else:
                strings.pop(place, None)
                yield b"r" + struct.pack("<I", place)
        elif name in ("GET", "BINGET", "LONG_BINGET") and int(str(argument)) in strings:
            waiting.append(strings[int(str(argument))])
        elif name == "STACK_GLOBAL" and len(waiting) > 1:
            called = f"{waiting[-2]} {waiting[-1]}"
            yield from _said(waiting[:-2])
            yield _global(called)
            waiting.clear()
        else:
            yield from _said(waiting)
            waiting.clear()
            yield _in_protocol_2(name, argument, raw)


def _opcodes(content: bytes) -> Iterator[tuple[str, object, bytes]]:
    """Yield name, argument and bytes of every opcode."""
    before = None
    for step, (opcode, argument, start) in enumerate(pickletools.genops(content)):
        if step > _MAX_STEPS:
            raise AdapterError("the pickle takes more steps than any LoRA: it is built to exhaust memory")
        if before is not None:
            yield before[0], before[1], content[before[2] : start]
        before = opcode.name, argument, start or 0
    if before is not None:
        yield before[0], before[1], content[before[2] : before[2] + 1]  # STOP, with which every pickle ends


def _in_protocol_2(name: str, argument: object, raw: bytes) -> bytes:
    if name == "PROTO":
        return b"\x80\x02"
    if name == "FRAME":
        return b""
    if name == "STACK_GLOBAL":
        raise AdapterError("the pickle calls what it works out itself, which no pickle of tensors does")
    return _global(str(argument)) if name in ("GLOBAL", "INST") else raw


def _global(called: str) -> bytes:
    """Return the opcode that gets a class or function; raises AdapterError for any but those that make tensors."""
    called = _SAME.get(called, called)
    kind = called.removeprefix("torch ")
    makes_tensors = kind != called and (kind.endswith("Storage") or kind in DTYPES)
    if called.count(" ") != 1 or "\n" in called or not (makes_tensors or called in _HARMLESS):
        raise AdapterError(f"the pickle holds more than tensors: it calls {inert(called, 60)}")
    return b"c" + called.replace(" ", "\n").encode() + b"\n"


def _said(strings: list[str]) -> Iterator[bytes]:
    for text in strings:
        raw = text.encode("utf-8", "surrogatepass")
        yield b"X" + struct.pack("<I", len(raw)) + raw
