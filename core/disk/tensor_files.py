"""Files of tensors: how their names end, and what a file is that only looks like one. No torch."""

SAFETENSORS = (".safetensors", ".sft")
"""How safetensors files end; the short form is ComfyUI's and that of some trainers. In small letters."""
PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl")
"""How pickles end, which can run code."""

AGAIN = "download the file again, or ask its author for an intact copy"

LENGTH = 8
"""Bytes in front of a safetensors header that say how long it is."""
MOST = 100_000_000
"""Bytes of a header from which on the safetensors library refuses a file."""
START = 64
"""Bytes that tell what another file is."""

_ZIP = b"PK\x03\x04"
_PICKLED = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
"""How pickles of the protocols in use begin, outside of a zip archive; the first two begin in no certain way."""
_STARTS = (
    (b"version ", "a Git LFS pointer instead of the file that it stands for: fetch that one with git lfs pull"),
    (b"PK", "a zip archive, as PyTorch's pickles and packed downloads are: unpack it, or get a safetensors file"),
    *((start, "a pickle, which can run code: get a safetensors file") for start in _PICKLED),
    (b"GGUF", "a GGUF file, which is not read: get a safetensors file"),
    (b"\x89PNG", f"a picture instead of tensors; {AGAIN}"),
    (b"\xff\xd8\xff", f"a picture instead of tensors; {AGAIN}"),
)


def what_it_is(start: bytes) -> str:
    """Return what a file is that begins so, and whose name does not end like safetensors; nothing where unknown."""
    if start[LENGTH : LENGTH + 1] == b"{" and start[:1] not in (b"{", b"["):
        return "a safetensors file under another ending: rename it to .safetensors"
    return _other(start)


def is_pickle(start: bytes) -> bool:
    """Return whether a file that begins so, and ends like a pickle, is one: PyTorch puts them into zip archives."""
    return start.startswith((_ZIP, *_PICKLED))


def instead_of_archive(start: bytes) -> str:
    """Return what a file is that begins so, ends like a pickle, and is no whole zip archive; nothing where unknown."""
    if start.startswith(_ZIP):
        return f"a zip archive without its end, so that it is cut off; {AGAIN}"
    if start.startswith(_PICKLED):
        return (
            "a pickle without a zip archive around it, as PyTorch saved before 1.6 and other programs do, which is not "
            "read: load it where you trust it, and save its tensors as a safetensors file"
        )
    return what_it_is(start)


def _other(start: bytes) -> str:
    """Return what a file that begins so is, if it is known and nothing that is read here; else nothing."""
    if not start:
        return f"an empty file of 0 bytes; {AGAIN}"
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"<", b"{", b"["):
        return f"a web page or JSON text instead of tensors; {AGAIN}"
    known = next((kind for beginning, kind in _STARTS if start.startswith(beginning)), "")
    return known or (f"a text instead of tensors; {AGAIN}" if _is_text(start) else "")


def _is_text(start: bytes) -> bool:
    """Return whether bytes are letters, signs and breaks of a text in ASCII; a sound length has zeros."""
    return all(32 <= byte < 127 or byte in b"\t\n\r" for byte in start)


def instead_of_header(start: bytes, size: int) -> str:
    """Return what is known to be no safetensors file of `size` bytes that begins so; nothing where it may be one.

    Only a file without room for the header that it claims is called something else: the length of a sound one may
    begin with any byte.
    """
    length = int.from_bytes(start[:LENGTH], "little")
    return _other(start) if len(start) < LENGTH or length > min(MOST, size - LENGTH) else ""
