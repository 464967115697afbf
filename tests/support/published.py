"""Published sets in miniature: a few pictures in the layout that each set's authors describe."""

import json

import numpy as np
from PIL import Image

CLASSES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "stl10": ("airplane", "bird", "car"),
    "flowers102": None,  # all of them, since no file of the set names them
    "pets": ("Abyssinian cat", "American Bulldog", "Basset Hound dog"),
    "objectnet": ("alarm clock", "bath towel"),
    "food101": ("apple pie", "baby back ribs"),
    "aircraft": ("707-320", "F-16A/B", "Cessna 172"),
}
"""Classes that are written, in label order."""


def write(name, folder, each=2):
    """Write a set with `each` test pictures of each class below a folder, as its archive unpacks there."""
    folder.mkdir(parents=True, exist_ok=True)
    _WRITERS[name](folder, each)


def shade(label, number):
    """Return the grey of a picture: each of a set has its own."""
    return (label * 37 + number * 11) % 256


def picture(path, value, size=(48, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def write_cifar10(folder, each):
    place = folder / "cifar-10-batches-bin"
    place.mkdir()
    data = bytearray()
    for number in range(each):
        for label in range(10):
            data += bytes([label]) + bytes([shade(label, number)]) * 3072
    (place / "test_batch.bin").write_bytes(data)


def write_stl10(folder, each):
    place = folder / "stl10_binary"
    place.mkdir()
    names = CLASSES["stl10"]
    pairs = [(label, number) for number in range(each) for label in range(len(names))]
    (place / "test_X.bin").write_bytes(b"".join(bytes([shade(*pair)]) * (3 * 96 * 96) for pair in pairs))
    (place / "test_y.bin").write_bytes(bytes(label + 1 for label, _ in pairs))
    (place / "class_names.txt").write_text("\n".join(names) + "\n")


def write_flowers102(folder, each):
    """Pictures of every class; the first of each is of the training list."""
    from scipy.io import savemat

    place = folder / "flowers-102"
    labels = [k for k in range(1, 103) for _ in range(each + 1)]
    for i, label in enumerate(labels, 1):
        picture(place / "jpg" / f"image_{i:05d}.jpg", shade(label, i), (8, 8))
    numbers = np.arange(1, len(labels) + 1)
    training = numbers[:: each + 1]
    savemat(place / "imagelabels.mat", {"labels": np.array([labels], np.uint8)}, do_compression=True)
    tests = np.setdiff1d(numbers, training)
    sets = {"trnid": training, "valid": training, "tstid": tests}
    savemat(place / "setid.mat", {k: np.array([v], np.uint16) for k, v in sets.items()}, do_compression=True)


def write_pets(folder, each):
    place = folder / "oxford-iiit-pet"
    lines, breeds = [], (("Abyssinian", 1), ("american_bulldog", 2), ("basset_hound", 2))
    for breed, (name, species) in enumerate(breeds, 1):
        for number in range(each):
            lines.append(f"{name}_{number + 1} {breed} {species} {breed}")
            picture(place / "images" / f"{name}_{number + 1}.jpg", shade(breed, number))
    (place / "annotations").mkdir()
    (place / "annotations" / "test.txt").write_text("\n".join(lines) + "\n")
    (place / "annotations" / "trainval.txt").write_text("Abyssinian_900 1 1 1\n")


def write_objectnet(folder, each):
    """Three classes, one of which ImageNet has not; every picture has its red border."""
    place = folder / "objectnet-1.0"
    labels = {"alarm_clock": "Alarm clock", "bath_towel": "Bath towel", "zip_tie": "Zip tie"}
    for label, name in enumerate(labels):
        for number in range(each):
            value = shade(label, number)
            framed = Image.new("RGB", (50, 42), (255, 0, 0))
            framed.paste(Image.new("RGB", (48, 40), (value, value, value)), (1, 1))
            (place / "images" / name).mkdir(parents=True, exist_ok=True)
            framed.save(place / "images" / name / f"{number:04x}.png")
    (place / "mappings").mkdir()
    common = {"Alarm clock": "analog clock; digital clock", "Bath towel": "bath towel"}
    for file, table in (("folder_to_objectnet_label", labels), ("objectnet_to_imagenet_1k", common)):
        (place / "mappings" / f"{file}.json").write_text(json.dumps(table))


def write_food101(folder, each):
    place = folder / "food-101"
    table = {}
    for label, dish in enumerate(("baby_back_ribs", "apple_pie")):  # not in the order of names, as anybody may write it
        table[dish] = [f"{dish}/{1000 * label + number}" for number in range(each)]
        for number, name in enumerate(table[dish]):
            picture(place / "images" / f"{name}.jpg", shade(label, number))
    (place / "meta").mkdir()
    (place / "meta" / "test.json").write_text(json.dumps(table))
    (place / "meta" / "train.json").write_text("{}")


def write_aircraft(folder, each):
    """Every picture has a white banner of 20 rows at its bottom."""
    place = folder / "fgvc-aircraft-2013b" / "data"
    lines = []
    for label, variant in enumerate(CLASSES["aircraft"]):
        for number in range(each):
            name, value = f"{label:03d}{number:04d}", shade(label, number)
            image = Image.new("RGB", (48, 60), (255, 255, 255))
            image.paste(Image.new("RGB", (48, 40), (value, value, value)), (0, 0))
            (place / "images").mkdir(parents=True, exist_ok=True)
            image.save(place / "images" / f"{name}.jpg", quality=100)
            lines.append(f"{name} {variant}")
    (place / "variants.txt").write_text("\n".join(CLASSES["aircraft"]) + "\n")
    (place / "images_variant_test.txt").write_text("\n".join(lines) + "\n")


_WRITERS = {name: globals()[f"write_{name}"] for name in CLASSES}


def pickled_cifar10(labels, pixels):
    """Return a batch as Python 2 pickled it: the array's bytes as one string, a thousand labels at a time."""
    out = bytearray(b"\x80\x02}q\x01(")
    out += b"U\x0bbatch_labelq\x02U\x14testing batch 1 of 1q\x03"
    out += b"U\x06labelsq\x04]q\x05"
    for start in range(0, len(labels), 1000):
        out += b"(" + b"".join(b"K" + bytes([label]) for label in labels[start : start + 1000]) + b"e"
    out += b"U\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09"
    out += b"(K\x01M" + len(labels).to_bytes(2, "little") + b"M" + (3072).to_bytes(2, "little") + b"\x86"
    out += b"cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    out += b"\x89T" + len(pixels).to_bytes(4, "little") + pixels + b"q\x0ctb"
    out += b"U\tfilenamesq\x0d]q\x0e(U\x07cat.pngq\x0feu."
    return bytes(out)
