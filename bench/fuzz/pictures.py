# pyright: reportAttributeAccessIssue=false
"""Coverage-guided fuzzing of the picture reader; docs/pictures.md has the command.

The first byte of an input says what it is: a whole file (the corpus starts with small ones of every kind), a PNG file
whose checksums are mended, or metadata (EXIF, colour profile, texts, unknown chunks) that is laid around sound pixels.
Whatever the last holds, the picture must open, and without a profile its pixels must be the same, if turned. The only
exception allowed for the others is UsageError, and no answer may take 2 seconds of processor time.
"""

import io
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

import atheris

from ..checkout import ROOT

sys.path.append(str(ROOT / "tests" / "support"))

with atheris.instrument_imports(include=["owf", "PIL"]):
    import icc
    import numpy as np
    from owf.core.errors import UsageError
    from owf.core.pictures import open_picture, picture
    from PIL import (  # noqa: F401  # noqa: F401 - all of them to be instrumented
        BmpImagePlugin,
        GifImagePlugin,
        Image,
        ImageCms,
        ImageFile,
        JpegImagePlugin,
        PngImagePlugin,
        WebPImagePlugin,
    )

picture.MAX_PIXELS = 10**6  # a header may claim more in a few bytes, and honest ones that large would take their time
FILE = Path(tempfile.mkdtemp(prefix="fuzz_pictures_")) / "x.png"
SIDE = (5, 3)
PROFILES = (icc.rgb(), icc.grey(1.8), icc.cmyk({(0, 0, 0, 0): (100, 0, 0)}))


def png_chunk(name: bytes, data: bytes, checksum: int | None = None) -> bytes:
    """Return a chunk of a PNG file, its checksum wrong if another is given."""
    right = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", right if checksum is None else checksum)


def png(depth: int, color: int, ancillary: bytes = b"") -> bytes:
    """Return a PNG file of random samples with chunks before its pixels."""
    width, height = SIDE
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    size = (width * depth * channels + 7) // 8
    rows = b"".join(b"\0" + bytes((7 * i + 31 * y) % 256 for i in range(size)) for y in range(height))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    palette = png_chunk(b"PLTE", bytes(range(3 * min(256, 1 << depth)))[:768]) if color == 3 else b""
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + ancillary + palette + pixels + png_chunk(b"IEND", b"")


_NAMES = b"tEXtzTXtiTXteXIfiCCPgAMAcHRMpHYsacTLfcTLfdATsRGBsBITbKGDtIMEhISTsPLTcaBX"
ANCILLARY = [_NAMES[i : i + 4] for i in range(0, len(_NAMES), 4)]
KINDS = (*((d, 0) for d in (1, 2, 4, 8, 16)), *((d, c) for c in (2, 4, 6) for d in (8, 16)), (4, 3))


def seeds() -> dict[str, bytes]:
    """Return small sound files of every kind that is read."""
    found = {f"{depth}_{color}.png": png(depth, color) for depth, color in KINDS}
    found["clear.png"] = png(16, 0, png_chunk(b"tRNS", b"\0\7"))
    rgb = Image.fromarray(np.arange(45, dtype=np.uint8).reshape(3, 5, 3) * 5)
    for mode, profile in zip(("RGB", "L", "CMYK"), PROFILES, strict=True):
        found[f"{mode}.jpg"] = _saved(rgb.convert(mode), "JPEG", icc_profile=profile)
    exif = Image.Exif()
    exif[0x0112] = 6
    found["progressive.jpg"] = _saved(rgb, "JPEG", progressive=True, exif=exif, comment=b"words")
    for mode in ("RGB", "RGBA"):
        found[f"{mode}.webp"] = _saved(rgb.convert(mode), "WEBP", exif=exif, icc_profile=PROFILES[0])
        found[f"{mode}_lossless.webp"] = _saved(rgb.convert(mode), "WEBP", lossless=True)
    found["film.webp"] = _saved(rgb, "WEBP", save_all=True, append_images=[rgb.transpose(Image.Transpose.ROTATE_180)])
    found["film.gif"] = _saved(rgb, "GIF", save_all=True, append_images=[rgb.transpose(Image.Transpose.ROTATE_180)])
    found["clear.gif"] = _saved(rgb.convert("P"), "GIF", transparency=1)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        found[f"{mode}.bmp"] = _saved(rgb.convert(mode), "BMP")
    mended = {f"mended_{name}": b"\2" + data for name, data in found.items() if name.endswith("png")}
    odd = {f"metadata_{n}": b"\1" + np.random.default_rng(n).bytes(300) for n in range(60)}
    return {**{name: b"\0" + data for name, data in found.items()}, **mended, **odd}


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PLAIN = Image.fromarray(np.arange(45, dtype=np.uint8).reshape(3, 5, 3) * 5)
PLAIN_JPEG, PLAIN_WEBP = _saved(PLAIN, "JPEG"), _saved(PLAIN, "WEBP", lossless=True)


def _profile(give: atheris.FuzzedDataProvider) -> bytes:
    """Return a profile with some bytes of it changed."""
    found = bytearray(give.PickValueInList(list(PROFILES)))
    for _ in range(give.ConsumeIntInRange(0, 6)):
        found[give.ConsumeIntInRange(0, len(found) - 1)] = give.ConsumeIntInRange(0, 255)
    return bytes(found[: give.ConsumeIntInRange(0, 2 * len(found))])


def _exif(give: atheris.FuzzedDataProvider) -> bytes:
    start = give.PickValueInList([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"Exif\0\0II*\0", b""])
    return start + give.ConsumeBytes(give.ConsumeIntInRange(0, 60))


def _png_with(give: atheris.FuzzedDataProvider) -> tuple[bytes, bytes]:
    """Return a PNG file with metadata, and the same without."""
    depth, color = give.PickValueInList(list(KINDS))
    extra = b""
    for _ in range(give.ConsumeIntInRange(0, 4)):
        name = give.PickValueInList(ANCILLARY)
        body = give.ConsumeBytes(give.ConsumeIntInRange(0, 60))
        if name == b"eXIf":
            body = _exif(give)
        elif name == b"iCCP" and give.ConsumeBool():
            body = b"x\0\0" + zlib.compress(_profile(give))
        elif name in (b"zTXt", b"iTXt") and give.ConsumeBool():
            body = b"x\0\0" + zlib.compress(bytes(give.ConsumeIntInRange(0, 3_000_000)))
        extra += png_chunk(name, body, give.ConsumeIntInRange(0, 9) if give.ConsumeIntInRange(0, 9) == 0 else None)
    return png(depth, color, extra), png(depth, color)


def _jpeg_with(give: atheris.FuzzedDataProvider) -> tuple[bytes, bytes]:
    extra = b""
    for _ in range(give.ConsumeIntInRange(0, 4)):
        marker = give.PickValueInList([*range(0xE1, 0xEE), 0xEF, 0xFE])
        body = give.PickValueInList(
            [b"", b"Exif\0\0", b"MPF\0", b"ICC_PROFILE\0\1\1", b"Photoshop 3.0\0", b"http://ns"]
        )
        if body.startswith(b"ICC"):
            body += _profile(give)
        elif body == b"Exif\0\0":
            body += _exif(give)
        body += give.ConsumeBytes(give.ConsumeIntInRange(0, 60))
        extra += bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
    return PLAIN_JPEG[:2] + extra + PLAIN_JPEG[2:], PLAIN_JPEG


def _webp_with(give: atheris.FuzzedDataProvider) -> tuple[bytes, bytes]:
    icc_body = _profile(give) if give.ConsumeBool() else b""
    parts = [(b"ICCP", icc_body)] if icc_body else []
    parts.append((PLAIN_WEBP[12:16], PLAIN_WEBP[20 : 20 + int.from_bytes(PLAIN_WEBP[16:20], "little")]))
    parts += [(b"EXIF", _exif(give)), (b"XMP ", give.ConsumeBytes(give.ConsumeIntInRange(0, 60)))]
    flags = 0x0C | (0x20 if icc_body else 0)
    head = struct.pack("<I", flags) + struct.pack("<I", SIDE[0] - 1)[:3] + struct.pack("<I", SIDE[1] - 1)[:3]
    chunks = b"".join(n + struct.pack("<I", len(b)) + b + bytes(len(b) % 2) for n, b in [(b"VP8X", head), *parts])
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks, PLAIN_WEBP


def _opened(data: bytes) -> np.ndarray:
    FILE.write_bytes(data)
    found = open_picture(FILE)
    assert found.mode == "RGB", found.mode
    return np.asarray(found)


def mended(data: bytes) -> bytes:
    """Return a PNG file with the checksums that fit its chunks, so that changes get beyond them."""
    found, at = data[:8], 8
    while at + 12 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            break
        found += png_chunk(name, data[at + 8 : at + 8 + size])
        at += 12 + size
    return found + data[at:]


def check_metadata(data: bytes) -> None:
    """Open sound pixels with odd metadata: they are the same, though turned, unless a profile is among it."""
    give = atheris.FuzzedDataProvider(data)
    dressed, bare = give.PickValueInList([_png_with, _jpeg_with, _webp_with])(give)
    found, plain = _opened(dressed), _opened(bare)
    turns = [np.rot90(side, n) for side in (plain, plain[:, ::-1]) for n in range(4)]
    colored = any(name in dressed for name in (b"iCCP", b"ICC_PROFILE", b"ICCP"))
    assert any(found.shape == turn.shape and (colored or np.array_equal(found, turn)) for turn in turns)


def check(data: bytes) -> None:
    """Read one input; raises for anything but a picture or UsageError with the file's name."""
    start = time.process_time()
    _answer(data[0] % 3 if data else 0, data[1:])
    assert time.process_time() - start < 2


def _answer(way: int, data: bytes) -> None:
    if way == 1:
        check_metadata(data)
        return
    try:
        _opened(mended(data) if way == 2 else data)
    except UsageError as error:
        if str(FILE) not in str(error):
            raise


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:] if Path(argument).is_dir()]
    for name, seed in seeds().items() if folders else ():
        (folders[0] / name).write_bytes(seed)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
