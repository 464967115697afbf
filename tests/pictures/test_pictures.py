"""Pixels in 8-bit sRGB, worked out here from what the file says; metadata never decides whether they can be read."""

import os
import struct
import warnings
import zlib

import icc
import numpy as np
import pytest
from owf.core.errors import UsageError
from owf.core.pictures import open_picture
from PIL import Image, ImageFile, PngImagePlugin

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
TO_SRGB = np.linalg.inv(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""From XYZ of D50 to linear sRGB; the matrix is Bruce Lindbloom's, adapted by Bradford."""


def chunk(name, data, checksum=None):
    right = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", right if checksum is None else checksum)


def png(path, samples, depth, kind, before=b"", after=b""):
    """Write (H, W, channels) samples as a PNG, each row with another filter, so that none is special."""
    height, width, channels = samples.shape
    if depth >= 8:
        rows = samples.astype(f">u{depth // 8}").reshape(height, -1).view(np.uint8).astype(int)
    else:
        bits = (samples.reshape(height, -1, 1) >> np.arange(depth)[::-1]) & 1
        rows = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1).astype(int)
    step = max(1, depth * channels // 8)
    lines, above = b"", np.zeros(rows.shape[1], int)
    for y, row in enumerate(rows):
        left = np.concatenate([np.zeros(step, int), row[:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        guess = left + above - corner
        paeth = np.select(
            [
                (abs(guess - left) <= abs(guess - above)) & (abs(guess - left) <= abs(guess - corner)),
                abs(guess - above) <= abs(guess - corner),
            ],
            [left, above],
            corner,
        )
        lines += (
            bytes([y % 5])
            + ((row - [0 * left, left, above, (left + above) // 2, paeth][y % 5]) % 256).astype(np.uint8).tobytes()
        )
        above = row
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(lines)) + after + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def pixels(path):
    found = open_picture(path)
    assert found.mode == "RGB"
    return np.asarray(found).astype(int)


def flat(tmp_path, color, kind, depth=16, **chunks):
    return pixels(png(tmp_path / "a.png", np.tile(np.array(color), (4, 3, 1)), depth, kind, **chunks))[0, 0].tolist()


@pytest.mark.parametrize("kind", CHANNELS)
def test_16_bits_are_rounded_and_white_is_65535(tmp_path, kind):
    rng = np.random.default_rng(kind)
    samples = rng.integers(0, 65536, (23, 17, CHANNELS[kind]))
    samples[0, :6, 0] = 0, 128, 129, 200, 30_000, 65_535
    if kind in (4, 6):
        samples[..., -1] = 65_535
    found = pixels(png(tmp_path / "a.png", samples, 16, kind))
    right = np.round(samples / 257)[..., : 3 if kind in (2, 6) else 1]  # 65535 = 257 * 255
    assert np.array_equal(found, np.broadcast_to(right, found.shape))


def test_a_dark_picture_stays_dark(tmp_path):
    assert [flat(tmp_path, [v], 0)[0] for v in (200, 5000, 30_000)] == [1, 19, 117]


@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bits_with_interlacing(tmp_path, interlaced):
    """One pixel is one pass, so the same bytes are sound with and without."""
    path = png(tmp_path / "a.png", np.array([[[30_000, 5000, 60_000]]]), 16, 2)
    data = path.read_bytes()
    header = data[12:28] + bytes([interlaced])
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    assert pixels(path).tolist() == [[[117, 19, 233]]]


def test_alpha_lies_on_white(tmp_path):
    assert flat(tmp_path, [30_000, 5000, 60_000, 0], 6) == [255, 255, 255]
    assert flat(tmp_path, [0, 32_768], 4) == [127, 127, 127]  # 255 * (1 - 128 / 255)
    assert flat(tmp_path, [10, 20, 30, 255], 6, depth=8) == [10, 20, 30]


@pytest.mark.parametrize(
    ("color", "kind", "depth", "clear", "right"),
    [
        ([30_000], 0, 16, [30_000], 255),
        ([30_000], 0, 16, [30_001], 117),  # the same once it is scaled, and not transparent
        ([30_000, 5000, 60_000], 2, 16, [30_000, 5000, 60_000], 255),
        ([30_000, 5000, 60_000], 2, 16, [30_000, 5001, 60_000], 117),
        ([7], 0, 8, [7], 255),
        ([7], 0, 8, [0x0107], 255),  # only the bits that samples have count
        ([7, 8, 9], 2, 8, [7, 8, 9], 255),
        ([7, 8, 9], 2, 8, [7, 8, 10], 7),
        ([5], 0, 4, [5], 255),
        ([5], 0, 4, [6], 85),  # 5 / 15
        ([2], 0, 2, [2], 255),
        ([2], 0, 2, [1], 170),
        ([0], 0, 1, [0], 255),
        ([0], 0, 1, [1], 0),
    ],
)
def test_the_transparent_colour_is_the_files_own(tmp_path, color, kind, depth, clear, right):
    before = chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear))
    assert flat(tmp_path, color, kind, depth, before=before)[0] == right


@pytest.mark.parametrize(
    ("mode", "color", "options", "right"),
    [
        ("1", 1, {}, (255, 255, 255)),
        ("L", 90, {}, (90, 90, 90)),
        ("LA", (0, 128), {}, (127, 127, 127)),
        ("RGBA", (200, 100, 0, 51), {}, (244, 224, 204)),  # 255 * 0.8 + 0.2 * v
        ("P", 1, {}, (0, 200, 0)),
        ("P", 1, {"transparency": 1}, (255, 255, 255)),
        ("P", 1, {"transparency": bytes([255, 128])}, (127, 227, 127)),
    ],
)
def test_every_kind_of_png(tmp_path, mode, color, options, right):
    picture = Image.new(mode, (6, 4), color)
    if mode == "P":
        picture.putpalette([255, 0, 0, 0, 200, 0] + [0] * 762)
    picture.save(tmp_path / "a.png", **options)
    assert pixels(tmp_path / "a.png")[2, 2].tolist() == list(right)


@pytest.mark.parametrize("kind", ["webp", "gif", "png"])
def test_the_first_frame_of_an_animation(tmp_path, kind):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    lossless = {"lossless": True} if kind == "webp" else {}
    frames[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:], **lossless)
    assert pixels(tmp_path / f"a.{kind}")[8, 8].tolist() == [255, 0, 0]


def test_cmyk_of_photoshop(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(pixels(tmp_path / "a.jpg")[8, 8] - [255, 0, 0]).max() <= 2  # JPEG's own loss


def encoded(linear):
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def from_adobe(color):
    return encoded(TO_SRGB @ ((np.array(color) / 255) ** (563 / 256) @ np.array(icc.ADOBE)))


# LittleCMS computes in 16 bits and rounds twice, and the profile's numbers have 16 bits: two levels at most.
LEVELS = 2


@pytest.mark.parametrize("color", [(120, 200, 60), (200, 120, 100), (30, 40, 50), (255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize("depth", [8, 16])
def test_adobe_rgb_becomes_srgb(tmp_path, color, depth):
    right = from_adobe(color)
    samples = np.array(color) * (257 if depth == 16 else 1)
    found = flat(tmp_path, samples, 2, depth, before=chunk(b"iCCP", b"x\0\0" + zlib.compress(icc.rgb())))
    assert np.abs(found - right).max() <= LEVELS


def test_grey_and_cmyk_profiles(tmp_path):
    before = chunk(b"iCCP", b"x\0\0" + zlib.compress(icc.grey(1.0)))
    found = flat(tmp_path, [64], 0, 8, before=before)
    assert np.abs(found - encoded(np.full(3, 64 / 255))).max() <= LEVELS
    # The profile alone says that full cyan is a grey of L* 50, and paper white.
    profile = icc.cmyk({(0, 0, 0, 0): (100, 0, 0), (1, 0, 0, 0): (50, 0, 0)})
    middle = encoded(np.full(3, ((50 + 16) / 116) ** 3))
    for ink, right in (((0, 0, 0, 0), np.full(3, 255)), ((255, 0, 0, 0), middle), ((0, 0, 0, 255), np.zeros(3))):
        Image.new("CMYK", (16, 16), ink).save(tmp_path / "a.jpg", quality=100, icc_profile=profile)
        assert np.abs(pixels(tmp_path / "a.jpg")[8, 8] - right).max() <= LEVELS + 1  # and JPEG's loss


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "bmp"])
def test_profiles_are_found_in_every_kind_of_file(tmp_path, kind):
    wide, path = Image.new("RGB", (16, 16), (200, 120, 100)), tmp_path / f"a.{kind}"
    options = {"lossless": True} if kind == "webp" else {"quality": 100, "subsampling": 0} if kind == "jpg" else {}
    if kind == "bmp":
        wide.save(path)
        data, profile = path.read_bytes(), icc.rgb()
        size = len(data) - 54
        header = struct.pack("<IiiHHIIiiII", 124, 16, 16, 1, 24, 0, size, 0, 0, 0, 0) + bytes(16) + b"DEBM"
        header += bytes(36 + 12 + 4) + struct.pack("<III", 124 + size, len(profile), 0)
        assert len(header) == 124
        whole = b"BM" + struct.pack("<IHHI", 138 + size + len(profile), 0, 0, 138) + header + data[54:] + profile
        path.write_bytes(whole)
    else:
        wide.save(path, icc_profile=icc.rgb(), **options)
    assert np.abs(pixels(path)[8, 8] - from_adobe((200, 120, 100))).max() <= LEVELS + (kind == "jpg")  # its own loss


def test_transparency_and_palettes_keep_their_profile(tmp_path):
    Image.new("RGBA", (4, 4), (120, 200, 60, 255)).save(tmp_path / "a.png", icc_profile=icc.rgb())
    assert np.abs(pixels(tmp_path / "a.png")[0, 0] - from_adobe((120, 200, 60))).max() <= LEVELS
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([120, 200, 60] + [0] * 765)
    palette.save(tmp_path / "b.png", icc_profile=icc.rgb())
    assert np.abs(pixels(tmp_path / "b.png")[0, 0] - from_adobe((120, 200, 60))).max() <= LEVELS


def test_a_profile_of_srgb_changes_nothing(tmp_path):
    from PIL import ImageCms

    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save(tmp_path / "a.png", icc_profile=srgb)
    assert np.array_equal(pixels(tmp_path / "a.png"), noise)


@pytest.mark.parametrize("profile", [b"", b"junk", icc.rgb()[:200], icc.rgb()[:-40], icc.grey(1.8), icc.cmyk({})])
def test_a_profile_that_is_broken_or_of_other_channels_is_left_out(tmp_path, profile):
    before = chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))
    assert flat(tmp_path, [120, 200, 60], 2, 8, before=before) == [120, 200, 60]
    assert flat(tmp_path, [120, 200, 60], 2, 8, before=chunk(b"iCCP", b"x\0\0" + b"no zlib")) == [120, 200, 60]


def test_large_metadata_is_no_reason(tmp_path):
    Image.new("RGB", (4, 4), (120, 200, 60)).save(tmp_path / "a.png", icc_profile=icc.rgb() + bytes(2_000_000))
    assert np.abs(pixels(tmp_path / "a.png")[0, 0] - from_adobe((120, 200, 60))).max() <= LEVELS
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "KSampler " * 300_000, zip=True)
    for i in range(30):
        info.add_itxt(f"more {i}", "x" * 4_000_000, zip=True)
    Image.new("RGB", (4, 4), (10, 20, 30)).save(tmp_path / "b.png", pnginfo=info)
    assert pixels(tmp_path / "b.png")[0, 0].tolist() == [10, 20, 30]


def test_a_bomb_among_the_profiles_is_not_unpacked(tmp_path):
    before = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(300_000_000), 9))
    assert flat(tmp_path, [10, 20, 30], 2, 8, before=before) == [10, 20, 30]


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"gAMA", b"acTL", b"fcTL", b"sRGB"])
@pytest.mark.parametrize("checksum", [None, 0])
def test_broken_chunks_beside_the_pixels_are_passed_over(tmp_path, name, checksum):
    for body in (b"", b"\xff", b"junk" * 9):
        odd = chunk(name, body, checksum)
        assert flat(tmp_path, [10, 20, 30], 2, 8, before=odd) == [10, 20, 30]
        assert flat(tmp_path, [10, 20, 30], 2, 8, after=odd) == [10, 20, 30]


def exif(value, order="<", kind=3, tag=0x0112):
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    number = struct.pack(order + ("H2x" if kind == 3 else "I"), value)
    return head + struct.pack(order + "HHHI", 1, tag, kind, 1) + number + bytes(4)


CORNERS = np.arange(6).reshape(2, 3)
TURNED = {
    1: CORNERS,
    2: CORNERS[:, ::-1],
    3: CORNERS[::-1, ::-1],
    4: CORNERS[::-1],
    5: CORNERS.T,
    6: CORNERS[::-1].T,
    7: CORNERS[::-1, ::-1].T,
    8: CORNERS.T[::-1],
}
"""What EXIF's table of orientations says of a picture of two rows of three."""


@pytest.mark.parametrize("value", TURNED)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["png", "webp", "jpg"])
def test_pictures_are_turned_as_their_camera_says(tmp_path, value, order, kind):
    levels = (CORNERS * 40).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    block = exif(value, order, 3 if value % 2 else 4)
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100}, "png": {}}[kind]
    Image.fromarray(levels).convert("RGB").save(tmp_path / f"a.{kind}", exif=b"Exif\0\0" + block, **options)
    found = pixels(tmp_path / f"a.{kind}")[8::16, 8::16, 0]
    assert np.array_equal(np.round(found / 40), TURNED[value])


@pytest.mark.parametrize("kind", ["png", "webp", "jpg"])
def test_damaged_exif_gives_an_orientation_or_nothing(tmp_path, kind):
    rng = np.random.default_rng(7)
    picture = Image.new("RGB", (16, 8), (10, 20, 30))
    blocks = [
        b"",
        b"II*\0",
        exif(0),
        exif(9),
        exif(2**16 - 1),
        exif(6)[:-9],
        exif(6, tag=0x8769),
        b"MM\0*" + b"\xff" * 9,
    ]
    for _ in range(200):
        block = bytearray(exif(6) + bytes(40))
        for at in rng.integers(0, len(block), 4):
            block[at] = rng.integers(256)
        blocks.append(bytes(block[: rng.integers(0, len(block))]))
    for block in blocks:
        picture.save(tmp_path / f"a.{kind}", exif=b"Exif\0\0" + block)
        assert open_picture(tmp_path / f"a.{kind}").size in ((16, 8), (8, 16))


def test_segments_of_jpeg_that_stop_pillow(tmp_path):
    Image.new("RGB", (16, 8), (10, 20, 30)).save(tmp_path / "a.jpg", quality=100, subsampling=0)
    data = (tmp_path / "a.jpg").read_bytes()
    right = pixels(tmp_path / "a.jpg")
    for marker in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE):
        for body in (
            b"",
            b"JFIF",
            b"Adobe",
            b"MPF\0II*\0\xff\xff\xff\xff",
            b"ICC_PROFILE\0",
            b"Exif\0\0MM",
            b"\xff" * 30,
        ):
            segment = bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
            (tmp_path / "b.jpg").write_bytes(data[:2] + segment + data[2:])
            assert np.array_equal(pixels(tmp_path / "b.jpg"), right)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "bmp", "gif"])
@pytest.mark.parametrize("lenient", [False, True])
def test_half_a_picture_is_an_error_that_names_the_file(tmp_path, kind, lenient, monkeypatch):
    """Whatever the host has told Pillow; and that is as it was afterwards."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a.{kind}")
    data = (tmp_path / f"a.{kind}").read_bytes()
    for share in (0.02, 0.5, 0.9):
        (tmp_path / f"b.{kind}").write_bytes(data[: int(share * len(data))])
        with pytest.raises(UsageError, match=f"b.{kind}"):
            open_picture(tmp_path / f"b.{kind}")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"II*\0" + bytes(40), "TIFF"),
        (b"\0\0\0\x20ftypavif" + bytes(40), "AVIF"),
        (b"\0\0\0\x20ftypheic" + bytes(40), "HEIC"),
        (b"8BPS" + bytes(40), "Photoshop"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89PNG\r\n\x1a\n", "header"),
        (b"\xff\xd8\xff" + bytes(40), "cannot be read"),
        (b"BM" + bytes(60), "cannot be read"),
        (b"GIF89a", "cannot be read"),
        (b"RIFF\0\0\0\0WEBPVP8X", "cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "no picture of a known kind"),
    ],
)
def test_what_is_no_picture_is_said(tmp_path, content, words):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UsageError, match=rf"a\.png.*{words}"):
        open_picture(tmp_path / "a.png")


def test_neither_pipes_nor_folders_nor_missing_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png", "missing.png"):
        with pytest.raises(UsageError, match=name):
            open_picture(tmp_path / name)


@pytest.mark.parametrize("sides", [(10**5, 10**4), (10_001, 10_000)])
@pytest.mark.parametrize("limit", [None, 10])
def test_pictures_of_too_many_pixels_are_refused_undecoded(tmp_path, sides, limit, monkeypatch):
    """By our limit, whatever the host has set."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    png(tmp_path / "a.png", np.zeros((1, 1, 3), int), 8, 2)
    data = (tmp_path / "a.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", *sides) + data[24:29]
    (tmp_path / "a.png").write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    with pytest.raises(UsageError, match="100,000,000 pixels"):
        open_picture(tmp_path / "a.png")
    assert limit == Image.MAX_IMAGE_PIXELS
    assert flat(tmp_path, [10, 20, 30], 2, 8) == [10, 20, 30]


@pytest.mark.parametrize("error", [struct.error("x"), KeyError(3), RecursionError(), MemoryError(), OverflowError("y")])
def test_whatever_pillow_raises_is_one_error_of_ours(tmp_path, error, monkeypatch):
    png(tmp_path / "a.png", np.zeros((1, 1, 3), int), 8, 2)

    def stumble(*_, **__):
        raise error

    monkeypatch.setattr(Image, "open", stumble)
    with pytest.raises(UsageError, match=r"a\.png cannot be read as a picture: .+"):
        open_picture(tmp_path / "a.png")


def test_no_warning_of_pillow_gets_out(tmp_path):
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 200, 0] + [0] * 762)
    palette.save(tmp_path / "a.png", transparency=bytes([0, 255]))
    with warnings.catch_warnings(record=True) as found:
        open_picture(tmp_path / "a.png")
    assert not found


@pytest.mark.parametrize("first", [0, 1])
def test_parts_of_a_profile_in_a_jpeg_are_numbered_from_1_or_0(tmp_path, first):
    Image.new("RGB", (16, 8), (120, 200, 60)).save(tmp_path / "a.jpg", quality=100, subsampling=0)
    data, profile = (tmp_path / "a.jpg").read_bytes(), icc.rgb()
    halves = (profile[:100], profile[100:])
    segments = b""
    for number, half in enumerate(halves, first):
        body = b"ICC_PROFILE\0" + bytes((number, len(halves))) + half
        segments += b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
    (tmp_path / "b.jpg").write_bytes(data[:2] + segments + data[2:])
    assert np.abs(pixels(tmp_path / "b.jpg") - from_adobe((120, 200, 60))).max() < 6  # JPEG moves one level


@pytest.mark.parametrize("kind", ["png", "webp", "jpg"])
def test_the_orientation_is_read_behind_a_name_written_twice(tmp_path, kind):
    block = b"Exif\0\0Exif\0\0" + exif(6)
    Image.new("RGB", (16, 8)).save(tmp_path / f"a.{kind}", exif=block)
    assert open_picture(tmp_path / f"a.{kind}").size == (8, 16)


@pytest.mark.parametrize("opacity", [(0, 0), (255, 255), (0, 255)])
def test_an_empty_fourth_byte_of_a_bmp_is_no_opacity(tmp_path, opacity):
    """32 bits with masks (BITMAPV4HEADER), as programs write them that know of no opacity."""
    samples = b"".join(bytes((30, 20, 10, value)) for value in opacity)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, len(samples), 0, 0, 0, 0) + masks
    header += b"sRGB"[::-1] + bytes(48)
    file = struct.pack("<2sIHHI", b"BM", 14 + len(header) + len(samples), 0, 0, 14 + len(header))
    (tmp_path / "a.bmp").write_bytes(file + header + samples)
    first = (255, 255, 255) if opacity == (0, 255) else (10, 20, 30)
    assert pixels(tmp_path / "a.bmp").tolist() == [[list(first), [10, 20, 30]]]


PALETTE = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]))


@pytest.mark.parametrize("depth", [2, 4, 8])
@pytest.mark.parametrize(
    ("before", "after", "highest", "words"),
    [
        (PALETTE, b"", 2, ""),
        (PALETTE, b"", 3, "colour 4 of a palette, which has 3"),
        (b"", b"", 0, "it has none"),
        (b"", PALETTE, 0, "it has none"),  # a palette behind the pixels comes too late
        (chunk(b"PLTE", b""), b"", 0, "it has none"),
    ],
)
def test_an_index_beyond_the_palette_is_no_black(tmp_path, depth, before, after, highest, words):
    samples = np.array([[[0], [highest]]])
    path = png(tmp_path / "a.png", samples, depth, 3, before, after)
    if words:
        with pytest.raises(UsageError, match=rf"a\.png.*{words}"):
            open_picture(path)
    else:
        assert np.asarray(open_picture(path)).tolist() == [[[255, 0, 0], [0, 0, 255]]]


@pytest.mark.parametrize("highest", [1, 2])
def test_the_same_of_bmp(tmp_path, highest):
    rows = bytes([0, highest, 0, 0])
    info = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 8, 0, len(rows), 0, 0, 2, 0)
    colors = bytes([0, 0, 255, 0, 0, 255, 0, 0])  # red and green, from blue to red
    start = 14 + len(info) + len(colors)
    content = b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + colors + rows
    (tmp_path / "a.bmp").write_bytes(content)
    if highest == 1:
        assert np.asarray(open_picture(tmp_path / "a.bmp")).tolist() == [[[255, 0, 0], [0, 255, 0]]]
    else:
        with pytest.raises(UsageError, match=r"a\.bmp.*which has 2"):
            open_picture(tmp_path / "a.bmp")


@pytest.mark.parametrize(("clear", "refused"), [(False, True), (True, False)])
def test_the_same_of_gif_but_for_the_index_that_is_transparent(tmp_path, clear, refused):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0] * 128)
    picture.putdata([0, 2])
    picture.save(tmp_path / "a.gif", optimize=False, **({"transparency": 2} if clear else {}))
    content = (tmp_path / "a.gif").read_bytes()
    size = 2 << (content[10] & 7)
    flags = bytes([content[10] & 0xF8])  # two colours
    (tmp_path / "a.gif").write_bytes(content[:10] + flags + content[11:13] + content[13:19] + content[13 + 3 * size :])
    if refused:
        with pytest.raises(UsageError, match=r"a\.gif.*which has 2"):
            open_picture(tmp_path / "a.gif")
    else:
        assert np.asarray(open_picture(tmp_path / "a.gif")).tolist() == [[[255, 0, 0], [255, 255, 255]]]
