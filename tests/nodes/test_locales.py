"""The nodes' texts in other languages: one table has them all, and the files that ComfyUI reads are what it makes."""

import json

import pytest
from comfyui.locales import FOLDER, LANGUAGES, files, read_table, texts


@pytest.fixture(scope="module")
def nodes(shared_stub):
    return shared_stub.run("schemas")["nodes"]


def test_every_text_has_its_words_in_every_language_and_no_row_is_left_over(nodes):
    table = read_table()
    assert set(table) == set(texts(nodes))
    assert all(set(row) == set(LANGUAGES) and all(text.strip() for text in row.values()) for row in table.values())
    assert len(LANGUAGES) >= 5


def test_nothing_is_left_in_english():
    # What is spelled alike in several languages, as a name is, has no sentence in it.
    same = [(text, to) for text, row in read_table().items() for to in LANGUAGES[1:] if row[to] == text]
    assert not [(text, to) for text, to in same if len(text.split()) > 3]


def test_verdicts_and_names_of_inputs_are_the_same_in_every_language():
    words = ("PASS", "DRIFT", "INCONCLUSIVE", "INVALID", "MODEL", "CLIP", "stop_graph", "dc_weight", "[[limit]]")
    for text, row in read_table().items():
        for word in words:
            assert all((word in row[to]) == (word in text) for to in LANGUAGES), (word, text)


def test_no_text_says_anything_else_to_the_page_that_shows_it():
    # vue-i18n, which ComfyUI's page shows them with, takes these for placeholders, links and plurals.
    assert not [text for row in read_table().values() for text in row.values() if set(text) & set("{}@|")]


def test_the_files_are_what_the_table_makes(nodes):
    # Otherwise: python -m bench.comfyui.locales
    shipped = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in FOLDER.rglob("*.json")}
    assert shipped == files(nodes, read_table())


def test_english_is_what_the_schemas_say(nodes):
    definitions = json.loads((FOLDER / "en" / "nodeDefs.json").read_text())
    assert set(definitions) == set(nodes)
    for name, node in nodes.items():
        assert definitions[name]["display_name"] == node["name"]
        tips = {i: settings["tooltip"] for _, i, settings in node["inputs"]}
        assert {i: given["tooltip"] for i, given in definitions[name]["inputs"].items()} == tips
