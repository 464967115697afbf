"""The log of a training: appended, cut back on resume, and drawn."""

import numpy as np
import pytest
from owf.core.render.pictures.curves import GREEN, RED, draw_curves, ticks_over, write_curves
from owf.core.train.curves import Curves, Smoothed, read_curves
from owf.core.train.records import StepRecord
from PIL import ImageColor


def record(step, drift=None, **weights):
    return StepRecord(step, 1 / step, {"dc": 0.1}, weights or {"dc": 1.0}, 1e-4, drift, drift)


def test_steps_come_back_as_they_were_logged(tmp_path):
    records = [record(step, 0.01 if step % 2 else None) for step in range(1, 6)]
    with Curves(tmp_path, "lora") as curves:
        for item in records:
            curves.add(item)
        assert list(read_curves(tmp_path / "lora.curves.jsonl")) == records


def test_a_resumed_training_drops_what_it_does_again(tmp_path):
    with Curves(tmp_path, "lora") as curves:
        for step in range(1, 9):
            curves.add(record(step))
    path = tmp_path / "lora.curves.jsonl"
    path.write_text(path.read_text() + '{"step": 9, "lo')
    with Curves(tmp_path, "lora") as curves:
        curves.add(record(6, 0.5))
        curves.add(record(7))
    assert [r.step for r in read_curves(path)] == [1, 2, 3, 4, 5, 6, 7]
    assert [r.drift for r in read_curves(path)][5] == 0.5


def test_a_training_from_the_start_begins_a_new_log(tmp_path):
    for _ in range(2):
        with Curves(tmp_path, "lora") as curves:
            curves.add(record(1))
    assert len(list(read_curves(tmp_path / "lora.curves.jsonl"))) == 1


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    with Curves(tmp_path, "lora") as curves:
        curves.add(record(1, 0.01))
    assert list((tmp_path / "lora.tensorboard").glob("events*"))


def colors(picture):
    return {tuple(pixel) for pixel in np.asarray(picture).reshape(-1, 3)}


def test_the_picture_has_a_panel_for_everything_that_was_seen():
    plain = [StepRecord(s, 0.1, {}, {}, 1e-4) for s in range(1, 50)]
    full = [record(s, 0.01 if s % 10 == 0 else None) for s in range(1, 50)]
    assert draw_curves(full, 0.005).height == 3 * draw_curves(plain).height
    assert colors(draw_curves(full)) >= {ImageColor.getrgb(RED), ImageColor.getrgb(GREEN)}
    assert not colors(draw_curves(plain)) & {ImageColor.getrgb(RED), ImageColor.getrgb(GREEN)}


def test_one_step_is_enough_for_a_picture_and_none_is_not(tmp_path):
    assert draw_curves([record(1, 0.0)], 0.01).width > 0
    with pytest.raises(ValueError, match="nothing"):
        draw_curves([])
    assert write_curves([], tmp_path, "lora") is None
    assert write_curves([record(1)], tmp_path, "lora") == tmp_path / "lora.curves.png"
    assert (tmp_path / "lora.curves.png").is_file()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0), (0, 800), (0.0, 0.0123), (-1, 3e-9), (1e4, 1e4 + 1)])
def test_ticks_cover_the_values(low, high):
    ticks = ticks_over(low, high)
    assert ticks[0] <= low <= high <= ticks[-1] + 1e-9
    assert 2 <= len(ticks) <= 8
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_the_smoothed_loss_starts_at_the_loss():
    smoothed = Smoothed()
    assert smoothed.add(3.0) == pytest.approx(3)
    assert smoothed.add(1.0) == pytest.approx((3 * 0.95 + 1) / 1.95)
