"""Another extension, with folders called like ours; hosts put it on the path too."""

from core import RIVAL

assert RIVAL
