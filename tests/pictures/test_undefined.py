"""Pixels of which a file does not say what they are: refused by name, or read as programs show them; never a guess."""

import io
import struct
import zlib

import numpy as np
import pytest
from owf.core.errors import UsageError
from owf.core.pictures import open_picture
from PIL import GifImagePlugin, Image

RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]
TABLE = bytes(RED + GREEN + BLUE + [9, 9, 9])
ENDED = "end before the picture does"


def pixels(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return np.asarray(open_picture(tmp_path / name)).tolist()


def refused(tmp_path, name, content):
    with pytest.raises(UsageError, match=name.replace(".", r"\.")) as caught:
        pixels(tmp_path, name, content)
    return str(caught.value)


def gif(indices, table=TABLE, local=b"", side=None, at=(0, 0), control=b""):
    """Return a GIF file of one frame, a row of indices below 4."""
    width, height = side or (len(indices), 1)
    codes = [4, *indices, 5]  # clear, the indices, end: three bits each as long as the table of codes is short
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    data = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    flags = {0: 0, 2: 0x80, 4: 0x81, 256: 0x87}
    screen = struct.pack("<HHBBB", width, height, flags[len(table) // 3], 0, 0)
    frame = struct.pack("<HHHHB", *at, len(indices), 1, flags[len(local) // 3])
    return b"GIF89a" + screen + table + control + b"," + frame + local + bytes([2, len(data)]) + data + b"\0;"


@pytest.fixture(params=list(GifImagePlugin.LoadingStrategy), ids=lambda strategy: strategy.name)
def strategy(request, monkeypatch):
    """Set what a host may have told Pillow."""
    monkeypatch.setattr(GifImagePlugin, "LOADING_STRATEGY", request.param)
    return request.param


def test_a_gif_has_its_colours_from_a_table_or_none(tmp_path, strategy):
    assert pixels(tmp_path, "a.gif", gif([1, 2])) == [[GREEN, BLUE]]
    assert pixels(tmp_path, "a.gif", gif([1, 2], b"", TABLE)) == [[GREEN, BLUE]]
    assert pixels(tmp_path, "a.gif", gif([1, 0], TABLE[::-1], TABLE)) == [[GREEN, RED]]
    assert "a palette, and it has none" in refused(tmp_path, "a.gif", gif([1, 2], b""))
    assert strategy == GifImagePlugin.LOADING_STRATEGY


def test_a_gif_of_greys_is_held_to_its_table_too(tmp_path, strategy):
    """Pillow reads it as grey levels, for which there is always a colour."""
    greys = bytes(level for level in range(256) for _ in "rgb")
    assert pixels(tmp_path, "a.gif", gif([1, 3], greys)) == [[[1, 1, 1], [3, 3, 3]]]
    assert pixels(tmp_path, "a.gif", gif([0, 1], greys[:6])) == [[[0, 0, 0], [1, 1, 1]]]
    assert "colour 3 of a palette, which has 2" in refused(tmp_path, "a.gif", gif([1, 2], greys[:6]))
    control = b"!\xf9\x04\1\0\0\2\0"  # the third is transparent
    assert pixels(tmp_path, "a.gif", gif([1, 2], greys[:6], control=control)) == [[[1, 1, 1], WHITE]]


@pytest.mark.parametrize("control", [b"", b"!\xf9\x04\1\0\0\3\0", b"!\xfe\3abc\0!\xff\x0bNETSCAPE2.0\3\1\0\0\0"])
def test_what_the_first_frame_leaves_out_is_white(tmp_path, control):
    found = pixels(tmp_path, "a.gif", gif([1, 2], side=(4, 2), at=(1, 0), control=control))
    assert found == [[WHITE, GREEN, BLUE, WHITE], [WHITE] * 4]
    beyond = pixels(tmp_path, "a.gif", gif([1, 2], side=(2, 1), at=(1, 0), control=control))
    assert beyond == [[WHITE, GREEN, BLUE]]


def part(name, body):
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_same_of_webp(tmp_path, mode):
    buffer = io.BytesIO()
    Image.new(mode, (2, 1), (0, 255, 0)).save(buffer, "WEBP", lossless=True)
    place = b"".join(struct.pack("<I", number)[:3] for number in (1, 0, 1, 0, 100))  # at (2, 0), 2 x 1
    frame = part(b"ANMF", place + b"\0" + buffer.getvalue()[12:])
    head = part(b"VP8X", b"\2\0\0\0" + struct.pack("<I", 4)[:3] + struct.pack("<I", 1)[:3])
    body = b"WEBP" + head + part(b"ANIM", bytes(6)) + frame
    found = pixels(tmp_path, "a.webp", b"RIFF" + struct.pack("<I", len(body)) + body)
    assert found == [[WHITE, WHITE, GREEN, GREEN, WHITE], [WHITE] * 5]


def rle(runs, bits=8, side=(4, 2)):
    info = struct.pack("<IiiHHIIiiII", 40, *side, 1, bits, 1 if bits == 8 else 2, len(runs), 0, 0, 2, 0)
    colors = bytes([*BLUE, 0, *GREEN, 0])  # from blue to red
    start = 14 + len(info) + len(colors)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + info + colors + bytes(runs)


@pytest.mark.parametrize(
    ("runs", "bits"),
    [
        ((4, 1, 0, 0, 4, 1, 0, 1), 8),
        ((4, 1, 0, 0, 4, 1, 0, 0, 0, 1), 8),
        ((1, 1, 0, 3, 1, 1, 1, 0, 0, 0, 4, 1, 0, 1), 8),
        ((4, 0x11, 0, 0, 0, 4, 0x11, 0x11, 0, 1), 4),
        ((6, 1, 0, 0, 9, 1, 0, 1), 8),  # runs beyond the line end with it
        ((4, 1, 0, 0, 4, 1, 0, 2, 1, 1), 8),  # what follows the last pixel means nothing
    ],
)
def test_run_lengths_of_a_bmp_that_give_every_pixel_a_colour(tmp_path, runs, bits):
    assert pixels(tmp_path, "a.bmp", rle(runs, bits)) == [[GREEN] * 4] * 2


@pytest.mark.parametrize(
    ("runs", "bits"),
    [
        ((2, 1, 0, 0, 4, 1, 0, 1), 8),  # a line ends early
        ((0, 3, 1, 1, 1, 0, 0, 0, 4, 1, 0, 1), 8),
        ((2, 0x11, 0, 0, 4, 0x11, 0, 1), 4),
        ((1, 1, 0, 2, 2, 0, 1, 1, 0, 0, 4, 1, 0, 1), 8),  # places are skipped
        ((4, 1, 0, 2, 0, 1, 4, 1, 0, 1), 8),
    ],
)
def test_run_lengths_that_leave_pixels_out(tmp_path, runs, bits):
    assert "leave out pixels" in refused(tmp_path, "a.bmp", rle(runs, bits))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png(depth, color, level, less, interlaced=0, side=(5, 9), pieces=1):
    """Return a PNG whose samples all have one level, and so many bytes less of them than it needs."""
    width, height = side
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    rows = b""
    for left, top, right, down in passes:
        columns = len(range(left, width, right))
        size = (columns * depth * CHANNELS[color] + 7) // 8
        rows += (b"\0" + bytes([level]) * size) * len(range(top, height, down)) if columns else b""
    packed = zlib.compress(rows[: len(rows) - less])
    cut = len(packed) // pieces + 1
    data = b"".join(chunk(b"IDAT", packed[i : i + cut]) for i in range(0, len(packed), cut))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    palette = chunk(b"PLTE", bytes(768)) if color == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + header + palette + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("depth", "color"), [(1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (4, 3), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)]
)
@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("interlaced", [0, 1])
def test_a_png_whose_pixels_end_early_is_half_a_picture(tmp_path, depth, color, level, interlaced):
    level = min(level, 255 if color != 3 else 0)
    assert len(pixels(tmp_path, "a.png", png(depth, color, level, 0, interlaced, pieces=3))) == 9
    for less in (1, 9):
        refused(tmp_path, "a.png", png(depth, color, level, less, interlaced))


@pytest.mark.parametrize("side", [(1, 1), (3, 1), (1, 5), (4, 4), (8, 3)])
def test_passes_of_small_pictures_that_hold_nothing_are_not_missed(tmp_path, side):
    assert len(pixels(tmp_path, "a.png", png(8, 0, 0, 0, 1, side))) == side[1]
    refused(tmp_path, "a.png", png(8, 0, 0, 1, 1, side))


@pytest.mark.parametrize("interlaced", [0, 1])
def test_rows_that_pillow_would_leave_black(tmp_path, interlaced):
    """Two whole rows of thirteen bytes: of half a one it says itself that it is cut off."""
    assert ENDED in refused(tmp_path, "a.png", png(8, 2, 200, 26, interlaced, (4, 8)))


def jpeg(name, mode, **options):
    height, width = 61, 83
    slope = np.add.outer(np.arange(height), 2 * np.arange(width)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    content = {"noise": noise, "slope": slope, "white": np.full((height, width), 255, np.uint8)}
    content["grey"] = np.full((height, width), 128, np.uint8)  # what a decoder fills in
    buffer = io.BytesIO()
    Image.fromarray(content[name]).convert(mode).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


FORMS = ({}, {"progressive": True}, {"optimize": True}, {"subsampling": 0}, {"restart_marker_rows": 1})


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", FORMS, ids=str)
@pytest.mark.parametrize("name", ["noise", "slope", "white", "grey"])
def test_a_jpeg_that_was_cut_off_and_ended_again_is_half_a_picture(tmp_path, name, options, mode):
    whole = jpeg(name, mode, **options)
    found = pixels(tmp_path, "a.jpg", whole)
    assert pixels(tmp_path, "a.jpg", whole + whole) == found  # as where a thumbnail follows
    if "progressive" in options:
        return  # what is left of it has all its pixels, if coarse ones
    start = whole.rfind(b"\xff\xda") + 14
    for share in (0.05, 0.3, 0.6, 0.9):
        end = start + int(share * (len(whole) - 2 - start))
        end -= whole[end - 1] == 0xFF
        content = whole[:end] + b"\xff\xd9"
        if (name, options) == ("grey", {"optimize": True}) and mode != "CMYK":
            assert pixels(tmp_path, "a.jpg", content) == found  # what is filled in is what was there
        else:
            assert ENDED in refused(tmp_path, "a.jpg", content)
