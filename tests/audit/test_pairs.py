"""Which image pairs a report keeps: the most changed, and a few that every report of a plan keeps."""

import numpy as np
from owf.core.audit.evidence.pairs import COMMON, SHOWN, write_pairs
from owf.core.metrics.evidence import Drawings
from owf.core.plan.presets import preset_plan


def drawn(plan, changed: range, count: int | None = None) -> Drawings:
    base = np.full((plan.images, 3, 4, 4), 100, np.uint8)
    tuned = base.copy()
    for i in changed:
        tuned[i] += np.uint8(1 + i)
    return Drawings(base[:count], tuned[:count], base[:count])


def test_reports_of_one_plan_share_pairs_whatever_changed(tmp_path):
    plan = preset_plan("quick")
    changes = [range(30), range(plan.images - 30, plan.images)]
    kept = [write_pairs(tmp_path / str(i), plan, drawn(plan, c)) for i, c in enumerate(changes)]
    for folder, pairs in enumerate(kept):
        assert SHOWN <= len(pairs) <= SHOWN + COMMON
        assert [pair.change for pair in pairs] == sorted((pair.change for pair in pairs), reverse=True)
        files = {f"images/{path.name}" for path in (tmp_path / str(folder) / "images").iterdir()}
        assert files == {name for pair in pairs for name in (pair.base, pair.tuned)}
    shared = {(p.prompt, p.seed) for p in kept[0]} & {(p.prompt, p.seed) for p in kept[1]}
    assert len(shared) >= COMMON


def test_few_images_are_kept_once_each(tmp_path):
    plan = preset_plan("quick")
    assert len(write_pairs(tmp_path, plan, drawn(plan, range(3), 3))) == 3
