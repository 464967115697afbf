"""Say what OWF's private Python environment needs; make it with --now. webui hosts run this file at their start.

It touches no package of the host, fetches nothing unasked, and never raises.
"""

import importlib.util
import sys
from pathlib import Path

if __name__ == "__main__":
    code = 0
    try:
        path = Path(__file__).resolve().parent / "webui" / "environment.py"
        spec = importlib.util.spec_from_file_location("owf_environment", path)
        assert spec is not None and spec.loader is not None
        environment = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(environment)
        code = environment.main(sys.argv[1:])
    except Exception as error:
        print(f"OWF: install.py could not look at its environment: {error!r}")
    sys.exit(code if "--now" in sys.argv else 0)
