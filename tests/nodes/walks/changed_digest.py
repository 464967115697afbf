"""Returns the digests of a base that somebody else set something on, twice."""

import torch
from base_parts import BORN, of
from walk import ARGUMENTS, answer

HALF = {"manual_cast_dtype": torch.float16}
CHANGES = {
    "another type of CLIP": {"clip": {**BORN, "object_patches": HALF}},
    "no type of CLIP": {"clip": {**BORN, "object_patches": {"manual_cast_dtype": None}}},
    "one more object of CLIP": {"clip": {**BORN, "object_patches": {**BORN["object_patches"], "other": 1}}},
    "one object less of CLIP": {"clip": {**BORN, "object_patches": {}}},
    "CLIP cast otherwise": {"clip": {**BORN, "force_cast_weights": False}},
    "weights of CLIP": {"clip": {**BORN, "patches": {"weight": [1]}}},
    "hooks of CLIP": {"clip": {**BORN, "forced_hooks": object()}},
    "a MODEL as CLIPs are born": {"clip": BORN, "model": BORN},
    "another type of MODEL": {"clip": BORN, "model": {"object_patches": HALF, "force_cast_weights": True}},
}
change = CHANGES[ARGUMENTS[0]]
answer(plain=of(clip=BORN), changed=[of(**change), of(**change)])
