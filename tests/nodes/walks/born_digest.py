"""Returns the digest of a base with what ComfyUI gives every CLIP, and without."""

from base_parts import BORN, of
from walk import answer

answer(now=[of(clip=BORN), of(clip=BORN)], before=[of(), of()])
