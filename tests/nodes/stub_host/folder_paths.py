"""A stand-in for ComfyUI's folder_paths; folders lie below $STUB_HOME."""

import os
from pathlib import Path

HOME = Path(os.environ["STUB_HOME"])


def get_output_directory():
    return str(HOME / "output")


def get_input_directory():
    return str(HOME / "input")


def get_filename_list(kind):
    return sorted(path.name for path in (HOME / kind).glob("*.safetensors"))


def get_full_path_or_raise(kind, name):
    return str(HOME / kind / name)
