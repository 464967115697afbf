"""Returns which ComfyUI and which packages are needed."""

from walk import answer, pack

answer(needed=pack("nodes.backend.host_version").NEEDED, packages=pack("nodes.extension")._PACKAGES)
