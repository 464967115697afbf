"""Do the metrics agree with people? Pairs of pictures, shown blind, and the rank correlation of answers and metrics."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from ..disk.files import write_text
from ..families import shipped
from ..metrics.measurement import Estimate
from ..metrics.metric import quantity
from ..render.html.rating_page import ShownPair, rating_page
from ..verdict.report import Report
from .experiment import Experiment, Findings
from .findings.correlation import rank_correlation
from .findings.figure import Figure, Series
from .findings.ratings import (
    LARGEST,
    QUESTIONS,
    Answer,
    Answers,
    Key,
    Trial,
    looks,
    make_key,
    read_answers,
    read_key,
    read_reports,
)
from .jobs.job import Job, Result
from .jobs.learning_methods import method_jobs
from .jobs.study import Study

PAGE, KEY = "ratings.html", "ratings-key.json"
"""What is given to people, and what is kept from them."""
METRICS = (
    *("denoiser_drift", "semantic", "color", "color_shift", "color_asked", "kid"),
    *("dino", "clip_i", "clip_t", "diversity"),
)
"""What answers are compared with: all but what asks a vocabulary or more steps: no question about these pictures."""
FETCHED = ("dino_drift", "lpips")
"""Compared too, but for a base that ships: their networks would be fetched, and know no world like its."""


def human_jobs(study: Study) -> tuple[Job, ...]:
    """Return LoRAs of every method, whose reports are shown; none where reports are given."""
    metrics = METRICS if study.family in shipped() else (*METRICS, *FETCHED)
    return () if study.reports else method_jobs(study, metrics, seeds=1)


def human_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return how answers and metrics correlate; without answers, leave the page for people in the study's folder."""
    if not study.ratings:
        reports = read_reports(study.reports or tuple(study.folder / result.report for result in results))
        key = make_key(reports)
        folders = {name: folder for name, (folder, _) in reports.items()}
        write_text(study.folder / PAGE, rating_page(key.page, _shown(key, reports), folders, QUESTIONS))
        write_text(study.folder / KEY, json.dumps(asdict(key), indent=1) + "\n")
        return Findings((f"Not rated yet: the page shows {len(key.trials)} pairs of {len(reports)} LoRAs.",))
    key = read_key(study.folder / KEY)
    return agreement(key, [read_answers(path, key) for path in study.ratings])


def _shown(key: Key, reports: Mapping[str, tuple[Path, Report]]) -> list[ShownPair]:
    shown = []
    for trial in key.trials:
        pair = reports[trial.report][1].pairs[trial.rank]
        x, y = (pair.base, pair.tuned) if trial.x == "base" else (pair.tuned, pair.base)
        x, y = (pair.base, pair.base) if trial.catch else (x, y)
        shown.append(ShownPair(trial.id, trial.report, pair.prompt, x, y))
    # In the order of their numbers, which says nothing: that of the key goes by reports.
    return sorted(shown, key=lambda one: one.id)


def agreement(key: Key, given: Sequence[Answers]) -> Findings:
    """Return the rank correlation of what people saw with every metric, with intervals over the LoRAs."""
    raters = [answers for answers in given if looks(answers, key)]
    trials = {trial.id: trial for trial in key.trials if not trial.catch}
    said = {name: _said(raters, trials, lambda a, n=name: float(getattr(a, n))) for name in QUESTIONS}
    preferred = _said(raters, trials, lambda a: _preference(a, trials[a.id]))
    counted = (
        f"{len(raters)} of {len(given)} people looked (the others saw a difference where there was none), "
        f"{len(preferred)} pairs of {len({trials[i].report for i in preferred})} LoRAs rated."
    )
    if not preferred:
        return Findings((counted,))
    lines = [counted, "", *_pair_lines(said, trials), "", *_report_lines(said, preferred, trials, key)]
    return Findings(tuple(lines), _figure(said, trials))


def _said(raters: Sequence[Answers], trials: Mapping[str, Trial], value: Callable[[Answer], float]) -> dict[str, float]:
    """Return the mean over the people of what they said of each pair."""
    found: dict[str, list[float]] = {}
    for answers in raters:
        for answer in answers.answers:
            if answer.id in trials:
                found.setdefault(answer.id, []).append(value(answer))
    return {name: fmean(values) for name, values in found.items()}


def _preference(answer: Answer, trial: Trial) -> float:
    """Return 1 where the base's picture was called the better one, -1 where the tuned model's was, else 0."""
    if answer.better == "same":
        return 0.0
    other = {"base": "tuned", "tuned": "base"}[trial.x]
    return 1.0 if (trial.x if answer.better == "x" else other) == "base" else -1.0


def _pair_lines(said: Mapping[str, Mapping[str, float]], trials: Mapping[str, Trial]) -> list[str]:
    lines = ["| answer, pair by pair | rank correlation with the pair's colour distance |", "|---|---|"]
    for name, words in QUESTIONS.items():
        pairs = [(value, trials[i]) for i, value in said[name].items()]
        found = rank_correlation([v for v, _ in pairs], [t.change for _, t in pairs], [t.report for _, t in pairs])
        lines.append(f"| how different: {words} | {_cell(found)} |")
    return lines


def _report_lines(
    said: Mapping[str, Mapping[str, float]],
    preferred: Mapping[str, float],
    trials: Mapping[str, Trial],
    key: Key,
) -> list[str]:
    """Return a line per metric: the correlation of the LoRAs' mean answers with its number."""
    answers = {**{words: said[name] for name, words in QUESTIONS.items()}, "the base's is better": preferred}
    means = [_by_report(values, trials) for values in answers.values()]
    lines = [f"| metric, LoRA by LoRA | {' | '.join(answers)} |", "|---" * (len(answers) + 1) + "|"]
    for number in sorted({name for numbers in key.numbers.values() for name in numbers}):
        known = quantity(number)
        if known is None:
            continue
        cells = [_cell(_over_reports(mean, number, key)) for mean in means]
        lines.append(f"| {known.title} | {' | '.join(cells)} |")
    return lines


def _by_report(values: Mapping[str, float], trials: Mapping[str, Trial]) -> dict[str, float]:
    reports: dict[str, list[float]] = {}
    for name, value in values.items():
        reports.setdefault(trials[name].report, []).append(value)
    return {report: fmean(found) for report, found in reports.items()}


def _over_reports(mean: Mapping[str, float], number: str, key: Key) -> Estimate | None:
    both = [(value, key.numbers[report].get(number)) for report, value in mean.items()]
    rows = [(value, other) for value, other in both if other is not None]
    if not rows:
        return None
    return rank_correlation([v for v, _ in rows], [o for _, o in rows], range(len(rows)))


def _cell(found: Estimate | None) -> str:
    return "-" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _figure(said: Mapping[str, Mapping[str, float]], trials: Mapping[str, Trial]) -> Figure:
    series = tuple(
        Series(words, tuple((trials[i].change, value) for i, value in said[name].items()), joined=False)
        for name, words in QUESTIONS.items()
    )
    return Figure(
        "What people see and what is measured",
        "colour distance of the pair, Delta-E",
        f"answer, 0 to {LARGEST}",
        series,
    )


EXPERIMENT = Experiment(
    name="human",
    title="Agreement with people",
    question="Do the metrics say what people see? Pairs of pictures of base and tuned model, from the same prompt and "
    "seed, are shown blind and in random order, some as the same picture twice; the answers are ranked against every "
    "metric.",
    jobs=human_jobs,
    findings=human_findings,
    asks_people=True,
)
