"""Returns what is advised about an import that fails, on an old ComfyUI and on a new one."""

import sys

from walk import answer, pack

sys.modules["comfyui_version"] = module = type(sys)("comfyui_version")
said = []
for version in ("0.3.50", "0.33.0"):
    module.__version__ = version
    said.append(pack("nodes.extension")._advice(ImportError("cannot import name 'Webcam'", name="comfy_api.latest")))
answer(said=said)
