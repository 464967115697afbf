"""Concepts of a folder, and those that ship."""

import pytest
from owf.core.errors import Setting, UsageError
from owf.core.experiments.jobs.study import read_concepts, shipped_concepts
from studies import study


def test_folders_are_called_after_the_class_of_their_concept(tmp_path):
    for place in ("coffee_mug-2/train", "coffee_mug-2/held_out", "dog", "coffee_mug-1"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    found = {concept.name: concept for concept in read_concepts(tmp_path)}
    assert {name: concept.word for name, concept in found.items()} == {
        "coffee_mug-1": "coffee mug",
        "coffee_mug-2": "coffee mug",
        "dog": "dog",
    }
    assert found["dog"].pictures == tmp_path / "dog" and found["dog"].held_out is None
    assert found["coffee_mug-2"].pictures == tmp_path / "coffee_mug-2" / "train"
    assert found["coffee_mug-2"].held_out == tmp_path / "coffee_mug-2" / "held_out"


@pytest.mark.parametrize("place", ["", "-2", "none/here"])
def test_folders_without_a_concept_are_refused(tmp_path, place):
    if place != "none/here":
        (tmp_path / place).mkdir(exist_ok=True)
    with pytest.raises(UsageError) as error:
        read_concepts(tmp_path / "none" if place == "none/here" else tmp_path)
    assert error.value.settings == (Setting("concepts"),)


def test_what_ships_is_taught_where_nothing_is_named():
    (only,) = shipped_concepts("demo")
    assert only.pictures.is_dir() and only.word
    with pytest.raises(UsageError, match="Name a folder"):
        shipped_concepts("sd15")


def test_too_few_and_too_many_concepts_are_said():
    study().require_concepts(2, 2)
    with pytest.raises(UsageError, match="at least 3 concepts; named: 2 concepts"):
        study().require_concepts(3, 4)
    with pytest.raises(UsageError, match="at most 1 concepts; named: 2 concepts"):
        study().require_concepts(1, 1)
