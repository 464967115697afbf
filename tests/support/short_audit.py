"""`owf-audit` on a quarter of the demo's prompts, in a process of its own: python short_audit.py ARGUMENTS.

For what a run does - its lines, files and exit codes, being killed and going on -, which takes no other numbers.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.cli.audit import main
    from owf.core.plan import demo

    demo.PROMPTS = demo.PROMPTS[::4]
    sys.exit(main(sys.argv[1:]))
