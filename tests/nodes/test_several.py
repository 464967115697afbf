"""Nodes over several audits: sweeps, folders, and the loader that shows what they found."""

import time

import pytest

HARMLESS, HARMFUL = 0.0001, 0.1
"""Drifts far below and far above the default limit."""


def test_a_sweep_names_the_largest_strength_that_passes(stub):
    drifts = [[0.25, HARMLESS], [0.5, HARMLESS], [1.0, HARMFUL]]
    found = stub.run(
        "swept", drifts, ["1, .5\n0.5", "", "1, two", "nan", "11", "1," * 3, ", ".join(map(str, range(99)))]
    )
    assert found["largest"] == 0.5
    assert found["text"].startswith("Passes up to 0.5, and drifts at 1")
    assert [line.split(".")[0] for line in found["text"].splitlines()[1:3]] == ["strength 0", "strength 0"]
    panel = found["panel"]
    assert [row["verdict"] for row in panel["rows"]] == ["PASS", "PASS", "DRIFT"] and panel["most"] == 1.0
    (curve,) = panel["curves"]
    assert [point[0] for point in curve["points"]] == [0.25, 0.5, 1.0]
    assert curve["points"][2][1] == pytest.approx(100 * HARMFUL) and curve["limit"] > 0  # in percent, as it is shown
    assert found["shape"][0] == 1
    kept, *refused = found["said"]
    assert kept == [0.5, 1.0] and all("strengths" in said for said in (*refused[:4], refused[5]))
    assert refused[4] == [1.0]


def test_a_sweep_in_both_directions_draws_the_usual_one_and_none_may_pass(stub):
    found = stub.run("swept", [[-0.5, HARMFUL], [0.5, HARMFUL], [1.0, None]], [])
    assert found["largest"] == 0.0
    assert [point[0] for point in found["panel"]["curves"][0]["points"]] == [0.5]


def test_a_sweep_draws_what_may_go_either_way_by_how_far_it_went_and_tells_silent_alarms(stub):
    """Of a shift of colours to -8 with an alarm at 10 either way the curve goes up towards it, never away from it."""
    found = stub.run("swept_shift", [[0.5, -4.0], [1.0, -8.0]])
    drift, shift = found["curves"]
    assert shift["points"] == [[0.5, 4.0], [1.0, 8.0]] and shift["limit"] == 10.0 and shift["silent"]
    assert shift["last"].startswith("−8")
    assert not drift["silent"]
    loud = stub.run("swept_shift", [[0.5, -4.0], [1.0, -12.0]])["curves"][1]
    assert not loud["silent"]


def test_many_loras_are_ranked_and_what_was_known_is_said(stub):
    given = [["good.safetensors", 1.0, HARMLESS, True], ["best.safetensors", 1.0, HARMLESS, False, True]]
    given += [["bad.safetensors", 1.0, HARMFUL], ["broken", 1.0, None]]
    found = stub.run("ranked", given)
    assert [line.split(":")[0] for line in found["ranking"].splitlines()] == [
        "DRIFT",
        "INVALID",
        "PASS",
        "PASS, in part",
    ]
    assert found["passed"] == "best.safetensors"
    known, unjudged = found["panel"]["notes"]
    assert known == "1 of 4 were known before." and unjudged.startswith("Not judged: Damage map, Knowledge")
    bad, broken, _, good = found["panel"]["rows"]
    assert bad["report"].startswith("/view?filename=report.html&subfolder=owf%2Fx") and bad["text"]
    assert broken["report"] == "" and "broken" in broken["reason"] and broken["text"] == broken["reason"]
    assert (good["badge"], good["state"], bad["badge"], bad["state"]) == ("PASS, in part", "UNKNOWN", "DRIFT", "DRIFT")
    assert (good["symbol"], bad["symbol"]) == ("–", "✗")


def test_names_folders_and_stars_name_loras(stub):
    for name in ("style_a", "style_b", "other"):
        (stub.home / "loras" / f"{name}.safetensors").touch()
    asked = ["", "style_*", "other.safetensors\n*_a*\nother*", "[demo] *", "missing*", "style_a"]
    every, styles, several, shipped, *refused = stub.run("named_loras", asked)["found"]
    assert every == ["other.safetensors", "style_a.safetensors", "style_b.safetensors"]
    assert styles == every[1:] and several == ["other.safetensors", "style_a.safetensors"]
    assert shipped and all(name.startswith("[demo] ") for name in shipped)
    assert all("is called so" in said for said in refused)  # a name is the whole name


def test_a_line_of_many_stars_is_answered_at_once(stub):
    """As an expression it would be tried against a name in every way of dividing it, which takes hours."""
    (stub.home / "loras" / f"{'a' * 60}.safetensors").touch()
    lines = ["*" * 40 + "#", "*a" * 30 + "*#", "*a" * 60 + "*", "*a" * 62 + "*", "a*a" * 3 + "*s"]
    begun = time.monotonic()
    *refused, fits, more, divided = stub.run("named_loras", lines)["found"]
    assert time.monotonic() - begun < 60
    assert all("is called so" in said for said in (*refused, more))
    assert fits == divided == [f"{'a' * 60}.safetensors"]


def test_without_any_lora_that_is_said(stub):
    assert "lists no LoRA" in stub.run("named_loras", [""])["found"][0]


def test_many_audits_go_on_after_a_cancel_and_nothing_is_measured_twice(stub):
    found = stub.run("many_audits")
    a, b, c = ([[f"{name}.safetensors", strength] for strength in (0.5, 1.0)] for name in "abc")
    assert found["stopped"] and found["first"] == [*a, *b, c[0]]
    assert found["second"] == c  # the cancelled one and what came after it
    assert [row[2] for row in found["rows"]] == ["PASS", "PASS", "INVALID", "INVALID", "DRIFT", "DRIFT"]
    assert [row[4] for row in found["rows"]] == [True] * 4 + [False] * 2
    assert found["rows"][2][3] == "It is broken (features clip)."
    assert found["tasks"] == [["c.safetensors at 0.5", 0, 6], ["c.safetensors at 1", 1, 6]]
    assert "leaderboard.html" in found["pages"] and "ledger.sqlite" in found["pages"]
    # A single audit is in the ledger too.
    assert found["third"] == [["d.safetensors", 0.5]]
    assert [row[4] for row in found["kept"]] == [False, True]


@pytest.mark.parametrize(
    ("file", "note", "rows", "strength", "gate", "badge", "is_open"),
    [
        ("", "", [], 1.0, "never", "NOT AUDITED", True),
        ("", "", [], 1.0, "on DRIFT or INVALID", "NOT AUDITED", True),
        ("", "", [], 1.0, "unless PASS", "NOT AUDITED", False),
        ("", "", [[HARMLESS, 1.0, True]], 0.7, "unless PASS", "PASS", True),
        ("", "", [[HARMLESS, 1.0, True]], 1.3, "unless PASS", "NOT AUDITED", False),
        # One metric alone says nothing of the others, whatever is known of them at another strength.
        ("", "", [[HARMLESS, 1.0, False]], 1.0, "unless PASS", "PASS, in part", False),
        ("", "", [[HARMLESS, 1.0, False]], 1.0, "on DRIFT or INVALID", "PASS, in part", True),
        ("", "", [[HARMLESS, 0.7, False], [HARMLESS, 1.0, True]], 0.7, "unless PASS", "PASS", True),
        ("PASS", "PASS", [[HARMFUL, 1.0, False]], 1.0, "on DRIFT or INVALID", "DRIFT", False),
        # What anybody can write opens nothing, but may close.
        ("", "PASS", [], 1.0, "unless PASS", "PASS, claimed", False),
        ("PASS", "", [], 1.0, "unless PASS", "PASS, claimed", False),
        ("PASS", "", [], 1.0, "on DRIFT or INVALID", "PASS, claimed", True),
        ("PASS", "DRIFT", [], 1.0, "on DRIFT or INVALID", "DRIFT", False),
    ],
)
def test_a_lora_is_loaded_with_what_is_known_of_it(stub, file, note, rows, strength, gate, badge, is_open):
    found = stub.run("loaded_verdict", file, note, rows, strength, gate)
    panel = found["panel"]
    assert panel["badge"] == badge and found["open"] == is_open
    assert panel["state"] == (badge if badge in ("PASS", "DRIFT") else "UNKNOWN")  # nothing claimed is green
    assert found["verdict"] == badge
    assert any("Not judged: Damage map, Knowledge" in said for said in panel["notes"]) == (badge == "PASS, in part")
    assert any("The gate is closed" in said for said in panel["notes"]) != is_open
    # Another verdict makes the node run again, and another audit alone does not: all that follows would run too.
    assert found["changed"] == (bool(rows) and badge != "NOT AUDITED")


def test_two_audits_stand_beside_each_other(stub):
    found = stub.run("compared", "mild.safetensors")
    assert found["milder"] == "mild"
    # Every prompt differs by 0.01, so that the interval is that one point, whatever the two of the numbers are.
    sentence, line = found["text"].splitlines()
    assert sentence == "mild is the milder, in denoiser drift."
    assert line == "Denoiser drift: 6 % (5 to 7) against 5 % (4 to 6), difference +1 % (+1 to +1)"
    panel = found["panel"]
    (number,) = panel["numbers"]
    assert number["difference"] == "+1 % (+1 to +1)" and number["milder"] == 1
    a, b = (bar["at"] for bar in number["bars"])
    assert a["limit"] == b["limit"] and a["zero"] == b["zero"] and b["high"] == a["value"] > b["value"] == a["low"]
    assert [side["name"] for side in panel["sides"]] == ["strong", "mild"]
    # One picture that both show: of the others one has a single report, and one lies outside.
    ((one, other),) = panel["pairs"]
    assert "1t.png" in one["tuned"] and "1t.png" in other["tuned"] and one["tuned"] != other["tuned"]
    (page,) = (name for name in found["pages"] if name.startswith("side_by_side/"))
    assert panel["report"].startswith("/view?filename=overview-") and "subfolder=owf%2Fside_by_side" in panel["report"]
    text = (stub.home / "output" / "owf" / page).read_text()
    assert "mild is the milder" in text and 'href="#main"' in text and "report.html" not in text
    assert len(found["pages"]) == 3  # and one for each report


def test_one_file_at_two_strengths_is_told_apart_by_them(stub):
    assert stub.run("compared", "strong", "strength")["milder"] == "strong at 0.5"
    assert stub.run("compared", "strong")["milder"] == "strong at 1 (B)"


def test_what_strangers_call_their_files_is_text(stub):
    found = stub.run("compared", "<img src=x onerror=alert(1)>\u202e")
    assert "<img" in found["milder"] and "\u202e" not in found["milder"]
    (page,) = (name for name in found["pages"] if name.startswith("side_by_side/"))
    assert "<img src=x" not in (stub.home / "output" / "owf" / page).read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("base", "report_a and report_b were audited on different bases, two called base: audit both on the same one."),
        ("plan", "report_a and report_b were asked differently (seed): audit both with the same settings."),
        ("junk", "the report_b input is not a readable report"),
    ],
)
def test_audits_that_cannot_be_compared_say_why(stub, change, said):
    assert stub.run("compared", "mild", change)["said"].startswith(said)
