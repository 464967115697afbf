"""The HTML report: one file, offline, readable, and deaf to what strangers write."""

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import pytest
import report_samples as samples
from imports import heavy_imports
from owf.core.metrics.measurement import Estimate
from owf.core.render import words
from owf.core.render.html import charts
from owf.core.render.html.html import render_html, write_html

SAMPLES = ["report", "invalid_report", "open_report", "crowded_report", "hostile_report", "silent_report",
           "trained_report", "mapped_report"]  # fmt: skip
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """Tags with attributes, text by innermost tag, and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.open = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self) -> str:
        shown = (data for tag, data in self.texts if tag not in ("script", "style"))
        return re.sub(r"\s+", " ", "".join(shown))

    def of(self, name: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.tags if tag == name]


@pytest.fixture
def page(tmp_path):
    return lambda name: Page(render_html(getattr(samples, name)(), tmp_path))


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_loaded_from_outside(page, name):
    for tag, attrs in page(name).tags:
        for key in ("src", "href", "srcset", "action", "data", "poster", "xlink:href", "formaction"):
            assert attrs.get(key, "#").startswith(("#", "data:")), (tag, key)
        assert tag not in ("iframe", "object", "embed", "base", "form")


def test_style_and_script_reach_for_nothing(tmp_path):
    html = render_html(samples.report(), tmp_path)
    own = "".join(re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", html, re.S))
    assert "@import" not in own
    assert all(url.startswith(('"data:', "data:")) for url in re.findall(r"url\(([^)]*)", own))
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|innerHTML|eval|import)\b", own)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_tag_is_closed_and_ids_are_unique(page, name):
    shown = page(name)
    assert shown.open == []
    ids = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [attrs["href"][1:] for attrs in shown.of("a")]
    targets += [attrs["aria-labelledby"] for attrs in shown.of("section")]
    assert set(targets) <= set(ids)


@pytest.mark.parametrize("name", SAMPLES)
def test_only_our_own_script_and_style_may_run(page, name):
    shown = page(name)
    policy = next(attrs["content"] for attrs in shown.of("meta") if attrs.get("http-equiv"))
    for tag in ("script", "style"):
        (content,) = ["".join(data for inside, data in shown.texts if inside == tag)]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert len(shown.of(tag)) == 1
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not any(key.startswith("on") or key == "style" for _, attrs in shown.tags for key in attrs)


def test_hostile_text_is_shown_and_inert(page):
    shown = page("hostile_report")
    assert "<script>alert(1)</script>" in shown.text()
    assert "{{7*7}}" in shown.text()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800]", shown.text())
    assert {attrs["src"] for attrs in shown.of("img")} == set()


def test_a_training_that_taught_nothing_is_no_pass(page):
    shown = page("trained_report")
    (header,) = [attrs for attrs in shown.of("header") if "verdict" in attrs.get("class", "")]
    assert "inconclusive" in header["class"]
    assert "NOT LEARNED, PASS" in shown.text()
    assert "learned 4 % (-3 to 11), kept 74 %" in shown.text()
    assert "Was the concept learned?" in shown.text()
    assert "Retrieved among 20 looks" in shown.text()
    assert "Was the concept learned?" not in page("report").text()


def test_files_outside_the_report_and_files_that_are_no_images_are_not_embedded(tmp_path):
    (tmp_path / "secret.png").write_bytes((tmp_path / "x").name.encode())
    folder = tmp_path / "report"
    inside = samples.draw_pairs(folder, 1)[0]
    outside = samples.draw_pairs(tmp_path / "other", 1)[0]
    wrong = (
        dataclasses.replace(inside, base="../other/" + outside.base),
        dataclasses.replace(inside, base=str(tmp_path / "other" / outside.base)),
        dataclasses.replace(inside, base="../secret.png"),
        dataclasses.replace(inside, tuned="missing.png"),
        dataclasses.replace(inside, tuned="nul\x00.png"),
    )
    shown = Page(render_html(samples.report(wrong), folder))
    assert shown.of("img") == []
    assert shown.text().count("Images not embedded") == len(wrong)


def test_pairs_have_names_sliders_and_lazy_images(tmp_path):
    path = write_html(samples.report(samples.draw_pairs(tmp_path, 30, 32)), tmp_path)
    assert path == tmp_path / "report.html"
    assert not list(tmp_path.glob("*.partial"))
    shown = Page(path.read_text(encoding="utf-8"))
    images, sliders = shown.of("img"), shown.of("input")
    assert (len(images), len(sliders)) == (60, 30)
    assert all(image["alt"] and image["loading"] == "lazy" and image["width"] == "32" for image in images)
    assert all(slider["type"] == "range" and slider["aria-label"] for slider in sliders)
    assert "Show the other 18 pairs" in shown.text()


def test_small_images_are_embedded_exactly(tmp_path):
    import io

    from PIL import Image, ImageChops

    pair = samples.draw_pairs(tmp_path, 1)[0]
    shown = Page(render_html(samples.report((pair,)), tmp_path))
    data = shown.of("img")[1]["src"].removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(data))) as seen, Image.open(tmp_path / pair.base) as drawn:
        assert ImageChops.difference(seen, drawn).getbbox() is None


def test_large_images_are_made_smaller(tmp_path):
    shown = Page(render_html(samples.report(samples.draw_pairs(tmp_path, 1, 1024)), tmp_path))
    assert shown.of("img")[0]["src"].startswith("data:image/jpeg;")
    assert shown.of("img")[0]["width"] == "512"


def test_the_verdict_comes_first_and_everything_is_there(page):
    text = page("report").text()
    order = [
        "DRIFT",
        "The LoRA changed the model more than the limits allow, most of all dress.",
        samples.report().verdict.reasons[0],
        "What was audited",
        "What was measured",
        "Does the model still know other things?",
        "accuracy drop by class",
        "drift by timestep",
        "drift by prompt group",
        "Where colours went",
        "What was run",
        samples.report().plan_digest,
    ]
    places = [text.rindex(part) if i > 8 else text.index(part) for i, part in enumerate(order)]
    assert places == sorted(places)


def test_classes_are_sorted_worst_first_and_colours_carry_their_sign(page):
    text = page("report").text()
    assert text.index("dress 62.0") < text.index("coat 44.0") < text.index("bag −12.0 −28.0 to 4.0")
    assert "black +8.3" in text
    assert "gray −5.5" in text


def test_a_silent_alarm_is_neither_green_nor_checked(page):
    shown = page("silent_report")
    pills = [attrs["class"] for attrs in shown.of("span") if attrs.get("class", "").startswith("pill")]
    assert sorted(set(pills)) == ["pill pass", "pill silent"]
    assert [attrs["class"] for attrs in shown.of("svg") if "chart" in attrs.get("class", "")].count("chart silent") == 1
    assert "NO ALARM" in shown.text() and "Above the limit, but its interval reaches below" in shown.text()


def test_an_invalid_report_says_why_and_shows_no_numbers(page):
    shown = page("invalid_report")
    assert "0 of 192 matched" in shown.text()
    assert "What was measured" not in shown.text()
    assert [attrs for attrs in shown.of("svg") if "chart" in attrs.get("class", "")] == []


def test_open_intervals_say_so(page):
    text = page("open_report").text()
    assert "95 % interval unbounded" in text
    assert not re.search(r"\bnan\b", text)


def test_a_hundred_classes_fold(page):
    assert "Show the other 80" in page("crowded_report").text()


def test_charts_are_described_in_words(page):
    labels = [attrs["aria-label"] for attrs in page("report").of("svg") if attrs.get("role") == "img"]
    wanted = "Accuracy drop: 21.6 points, 95 % interval 17.3 to 25.9, noise floor 1.1, limit 10.0."
    assert wanted in labels


def test_the_same_report_gives_the_same_page(tmp_path):
    assert render_html(samples.report(), tmp_path) == render_html(samples.report(), tmp_path)


@pytest.mark.parametrize("values", [[], [0.0], [1e-300], [1e300, -1e300], [float("inf")], [-3, 7], [0.1, 0.25]])
def test_scales_hold_their_values_on_few_round_ticks(values):
    axis = charts.scale(values)
    assert axis.low <= 0 <= axis.high
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 9
    assert all(0 <= axis.at(v) <= 100 for v in values)


def test_positions_are_linear():
    axis = charts.scale([0.0, 0.2, 0.4])
    assert [axis.at(v) for v in (0.0, 0.1, 0.2, 0.4, 9.0, float("-inf"))] == [0, 25, 50, 100, 100, 0]


def test_a_chart_without_a_number_is_empty():
    assert charts.estimate_chart(Estimate(float("nan"), 0, 1, 1), (0.1,), "limit", "none", "") == ""


@pytest.mark.parametrize(
    ("value", "unit", "signed", "shown"),
    [
        (0.216, "share", False, "21.6"),
        (-0.00001, "share", False, "0.0"),
        (-0.055, "share", True, "−5.5"),
        (0.083, "share", True, "+8.3"),
        (0.0, "share", True, "0.0"),
        (0.084, "relative", False, "8.4"),
        (12345.6, "", False, "12,346"),
        (float("inf"), "", False, "∞"),
        (float("nan"), "", False, "–"),
        (None, "", False, "–"),
    ],
)
def test_numbers_in_words(value, unit, signed, shown):
    assert words.number(value, unit, signed) == shown


def test_rendering_needs_no_torch():
    assert "torch" not in heavy_imports("owf.core.render.html.html", "owf.core.render.terminal.terminal")


def test_plans_are_shown_in_full(page):
    text = page("report").text()
    assert "samples 4 · keep 3; samples 8 · keep 1" in text
    assert "a photo of a gray bag · colours · gray" in text
    assert re.search(r"Duration ?2 min 23 s", text)


def test_the_change_by_block_is_told_in_numbers_beside_its_shades(page):
    shown = page("report")
    text = shown.text()
    assert text.index("What was audited") < text.index("Where the change sits") < text.index("What was measured")
    assert "up 1 24.3 17.0 9.7" in text
    assert "out not changed not changed not changed NaN/∞" in text
    shades = [attrs["class"] for attrs in shown.of("td") if "class" in attrs]
    assert {"heat-0", "heat-1", "heat-2", "heat-3", "heat-4", "bad", "blank"} == set(shades)
    assert "Where the change sits" not in page("invalid_report").text()


def test_many_blocks_fold_and_the_largest_stay_in_sight(page):
    shown = page("crowded_report")
    assert "the 20 blocks that change most" in shown.text()
    assert "Show all 57 blocks" in shown.text()
    assert shown.text().index("blocks 56") < shown.text().index("Show all 57 blocks") < shown.text().index("blocks 3 ")


def test_every_concept_is_a_cell_of_the_map_and_none_a_line(page):
    shown = page("mapped_report")
    concepts = samples.damage_map().breakdowns["concept"]
    cells = [attrs for attrs in shown.of("rect") if attrs.get("class", "").startswith("shade-")]
    assert len(cells) == len({(cell["x"], cell["y"]) for cell in cells}) == len(concepts)
    titles = [data for tag, data in shown.texts if tag == "title"]
    assert f"{concepts[7].label}: 14 %" in titles
    assert [cell["class"] for cell in cells].count("shade-4") == sum(p.label.startswith("green") for p in concepts)
    assert concepts[7].label not in [data.strip() for _, data in shown.texts]


def test_the_map_says_the_worst_and_the_untouched_in_words(page):
    shown = page("mapped_report")
    assert "most of all dress and green (14 concepts)." in shown.text()
    told = [data.strip() for _, data in shown.texts if data.strip()]
    worst, untouched = told.index("Moved most"), told.index("Moved least")
    assert told[told.index("green dress", worst, untouched) + 1] == "110 %"
    assert "0 %" in told[untouched : untouched + 6]
    (search,) = [attrs for attrs in page("mapped_report").of("input") if attrs.get("type") == "search"]
    assert "maxlength" not in search
    (hidden,) = [attrs for attrs in page("mapped_report").of("p") if attrs.get("class") == "find"]
    assert "hidden" in hidden  # without its script there is nothing to search with


@pytest.mark.parametrize("width", [None, 0, -3, 301, 2.5, "20"])
def test_a_map_of_no_sensible_width_is_left_out(width, tmp_path):
    full = samples.mapped_report()
    seen = dataclasses.replace(samples.damage_map(), facts={} if width is None else {"map_width": width})
    html = render_html(dataclasses.replace(full, measurements={**full.measurements, "map": seen}), tmp_path)
    assert "Find a concept" not in html and "What is damaged, in few words" in html
