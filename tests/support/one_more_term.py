"""What plan and options know of a term whose file lies in a folder of its own: python one_more_term.py FOLDER."""

import json
import runpy
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.core.train import preserve

    preserve.__path__.append(sys.argv[1])
    from owf.cli.training.arguments import parser
    from owf.cli.training.config import effective, read_config
    from owf.core.train.plan import TERMS, TrainPlan, plan_digest

    folder = Path(tempfile.mkdtemp())
    (folder / "train.toml").write_text("halved-weight = 0.5\n")
    read, _ = effective(read_config(folder / "train.toml"))
    known = {
        "terms": list(TERMS),
        "weight": TrainPlan().weight("halved"),
        "key": read.weight("halved"),
        "help": "--halved-weight" in parser().format_help(),
        "torch": "torch" in sys.modules,
        "digest": plan_digest(TrainPlan()),
        "counts": plan_digest(TrainPlan(preserve=("halved",))) != plan_digest(replace(read, preserve=("halved",))),
    }
    print(json.dumps(known))
