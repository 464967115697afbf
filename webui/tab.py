"""The tab: Audit, Train, Inspect. It is drawn with what gradio 3.41 and 4.40 both know, and follows a job by asking:
javascript/owf.js presses a hidden button while one runs, so that a reload and a second browser see the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.families import RECIPES
from ..core.plan.presets import PRESETS
from . import environment, host, reports, view
from .host import Refusal
from .inspection import inspect
from .jobs.runner import Busy
from .request import AuditAsk, TrainAsk
from .start import prepare, start_audit, start_training

if TYPE_CHECKING:
    from ..core.verdict.report import Report

LABEL, ID = "OWF", "owf"
_PAIRS = "Without the LoRA (left) and with it (right), the most changed first"
_BESIDE = {"scale": 0, "min_width": 150}
"""Of a button in a row with what it is for."""
_QUIET = {"show_progress": "hidden"}
"""No veil over what is asked for every second."""


class Tab:
    """What hosts render as a tab.

    It is drawn right into the host's page: for a `gr.Blocks` of its own gradio would set up a whole web application,
    twice, which is most of what a tab costs at the start.
    """

    children = ()
    """None for the host to keep the values of in its `ui-config.json`."""

    def __init__(self) -> None:
        import gradio as gr

        # Hosts connect such buttons before they render tabs, so these two are there early.
        self.text = gr.Textbox(label="As it is sent", elem_id="owf_infotext", render=False)
        self.send = gr.Button("Send to txt2img", elem_id="owf_send", render=False, **_BESIDE)
        _connect(self.send, self.text)

    def render(self) -> None:
        """Draw the tab where the host is drawing."""
        import gradio as gr

        with gr.Column(elem_id="owf_tab"):
            status = gr.HTML(view.status(host.runner().last()), elem_id="owf_status")
            with gr.Row():
                cancel = gr.Button("Cancel", variant="stop", elem_id="owf_cancel", **_BESIDE)
                making = gr.Button("Prepare", elem_id="owf_prepare", visible=not host.settings().python)
            if not host.settings().python:
                gr.HTML(view.note(environment.said_before()))
            # Pressed by our script, not by people: style.css hides them.
            poll = gr.Button("poll", elem_id="owf_poll", elem_classes=["owf-hidden"])
            with gr.Tabs():
                with gr.TabItem("Audit"):
                    _audit_tab(gr, status, self.send, self.text)
                with gr.TabItem("Train"):
                    _train_tab(gr, status)
                with gr.TabItem("Inspect"):
                    _inspect_tab(gr)
        poll.click(_status, [], [status], queue=False, **_QUIET)
        cancel.click(_cancel, [], [status], queue=False, **_QUIET)
        making.click(_guard_text(_prepare), [], [status], queue=False)


def _audit_tab(gr: Any, status: Any, send: Any, text: Any) -> None:
    _audit_form(gr, status)
    _found_reports(gr, send, text)


def _audit_form(gr: Any, status: Any) -> None:
    with gr.Row():
        checkpoint = gr.Dropdown(list(host.checkpoints()), label="Checkpoint", elem_id="owf_checkpoint")
        loras = gr.Dropdown(list(host.loras()), label="LoRAs", multiselect=True, elem_id="owf_loras")
        refresh = gr.Button("Refresh lists", elem_id="owf_refresh", **_BESIDE)
    with gr.Row():
        preset = gr.Dropdown(list(PRESETS), value="quick", label="Preset")
        strengths = gr.Textbox("1", label="Strengths, with commas", elem_id="owf_strengths")
        metrics = gr.Dropdown(_metrics(), label="Metrics (none: the preset's)", multiselect=True)
        policy = gr.Dropdown(list(host.policies()), value=host.settings().policy, label="Policy")
    run = gr.Button("Audit", variant="primary", elem_id="owf_audit")
    asked = [checkpoint, loras, preset, strengths, metrics, policy]
    run.click(_guard_text(_audit), asked, [status], queue=False)
    refresh.click(_refreshed(gr), [], [checkpoint, loras], queue=False)


def _audit(checkpoint: Any, loras: Any, preset: Any, strengths: Any, metrics: Any, policy: Any) -> str:
    asked = {"checkpoint": checkpoint, "loras": loras, "preset": preset, "strengths": _numbers(strengths)}
    chosen = {"metrics": metrics} if metrics else {}
    return _started(lambda: start_audit(AuditAsk.read({**asked, **chosen, "policy": policy or ""})))


def _found_reports(gr: Any, send: Any, text: Any) -> None:
    """Draw the verdicts of the last audit and every report, the one that is chosen in full."""
    table = gr.Dataframe(headers=view.HEADERS, label="Verdicts", interactive=False, wrap=True)
    with gr.Row():
        choice = gr.Dropdown([], label="Report", elem_id="owf_report_choice")
        opened = gr.Button("Open the full report", elem_id="owf_open", **_BESIDE)
    found = gr.HTML(elem_id="owf_report")
    pairs = gr.Gallery(label=_PAIRS, elem_id="owf_pairs", columns=3, object_fit="contain")
    with gr.Row():
        prompt = gr.Dropdown([], label="Prompts that drifted most", elem_id="owf_prompt")
        text.render()
        send.render()
    page = gr.HTML(elem_id="owf_page")
    show = gr.Button("show", elem_id="owf_show", elem_classes=["owf-hidden"])

    def finished() -> tuple[Any, ...]:
        names = view.history(reports.earlier())
        return view.verdicts(host.runner().last()), gr.update(choices=_labels(names), value=_first(names))

    def shown(label: Any) -> tuple[Any, ...]:
        folder, report = _report(label)
        if folder is None or report is None:
            return "", [], gr.update(choices=[], value=None)
        prompts = view.prompts(report)
        first = prompts[0] if prompts else None
        return view.report_html(report), view.gallery(report, folder), gr.update(choices=prompts, value=first)

    show.click(finished, [], [table, choice], queue=False, **_QUIET)
    choice.change(shown, [choice], [found, pairs, prompt], queue=False, **_QUIET)
    prompt.change(_infotext, [choice, prompt], [text], queue=False, **_QUIET)
    opened.click(lambda label: view.page(_folder(label)), [choice], [page], queue=False)


def _infotext(label: Any, prompt: Any) -> str:
    _, report = _report(label)
    return "" if report is None or not prompt else view.infotext(prompt, report, host.loras())


def _train_tab(gr: Any, status: Any) -> None:
    from ..core.train.plan import TERMS

    with gr.Row():
        checkpoint = gr.Dropdown(list(host.checkpoints()), label="Checkpoint", elem_id="owf_train_checkpoint")
        refresh = gr.Button("Refresh list", **_BESIDE)
    with gr.Row():
        folder = gr.Textbox(label="Folder of pictures on this machine", elem_id="owf_train_folder")
        uploads = gr.File(label="or pictures", file_count="multiple", elem_id="owf_train_uploads")
    with gr.Row():
        name = gr.Textbox(label="Name of the LoRA", elem_id="owf_train_name")
        trigger = gr.Textbox("sks", label="Trigger")
        class_word = gr.Textbox(label="Class, such as dog", elem_id="owf_train_class")
    with gr.Row():
        preset = gr.Dropdown(["", *RECIPES], value="quick", label="Preset")
        steps = gr.Number(0, label="Steps (0: the preset's)", precision=0, elem_id="owf_train_steps")
        preserve = gr.Dropdown([*TERMS, "none"], value="dc", label="Preservation")
        dc_weight = gr.Number(0, label="Weight of dc (0: set by the training)")
        drift_budget = gr.Number(0, label="Drift budget in percent (0: none)")
        every = gr.Number(0, label="Steps between samples (0: none)", precision=0)
    run = gr.Button("Train", variant="primary", elem_id="owf_train")
    look = gr.Button("Show the samples", elem_id="owf_samples")
    samples = gr.Gallery(label="Samples", columns=4, object_fit="contain")

    asked = [checkpoint, folder, uploads, name, trigger, class_word, preset, steps, preserve, dc_weight, drift_budget]
    run.click(_guard_text(_train), [*asked, every], [status], queue=False)
    refresh.click(lambda: _refreshed(gr)()[0], [], [checkpoint], queue=False)
    look.click(view.samples, [name], [samples], queue=False)


def _train(checkpoint: Any, folder: Any, uploads: Any, name: Any, trigger: Any, class_word: Any, *more: Any) -> str:
    preset, steps, preserve, dc_weight, drift_budget, every = more
    ask = TrainAsk(
        checkpoint=str(checkpoint or ""),
        pictures=Path(str(folder).strip()) if str(folder or "").strip() else None,
        uploads=tuple(Path(getattr(file, "name", file)) for file in uploads or ()),
        name=str(name or "").strip(),
        trigger=str(trigger or ""),
        class_word=str(class_word or "").strip(),
        preset=str(preset or ""),
        steps=int(steps or 0),
        preserve=() if preserve in (None, "none") else (str(preserve),),
        dc_weight=float(dc_weight) if dc_weight else None,
        drift_budget=float(drift_budget or 0) / 100,
        sample_every=int(every or 0),
    )
    return _started(lambda: start_training(ask))


def _inspect_tab(gr: Any) -> None:
    with gr.Row():
        lora = gr.Dropdown(list(host.loras()), label="LoRA", elem_id="owf_inspect_lora")
        refresh = gr.Button("Refresh list", **_BESIDE)
        run = gr.Button("Inspect", variant="primary", elem_id="owf_inspect", **_BESIDE)
    found = gr.HTML(elem_id="owf_inspected")
    refresh.click(lambda: _refreshed(gr)()[1], [], [lora], queue=False)
    run.click(_guard_text(lambda name: view.inspected(inspect(str(name or "")))), [lora], [found], queue=False)


def _connect(send: Any, text: Any) -> None:
    """Have the host read the text into its txt2img tab, where it offers that."""
    try:
        from modules.infotext_utils import ParamBinding, register_paste_params_button
    except ImportError:  # before 1.8 it had another name
        from modules.generation_parameters_copypaste import ParamBinding, register_paste_params_button
    register_paste_params_button(ParamBinding(paste_button=send, tabname="txt2img", source_text_component=text))


def _started(start: Any) -> str:
    try:
        return view.status(start())
    except Busy as busy:
        return view.note(str(busy)) + view.status(host.runner().last())


def _guard_text(call: Any) -> Any:
    """Return the call, whose refusals are shown where its result would be."""

    def guarded(*values: Any) -> str:
        try:
            return call(*values)
        except (Refusal, OSError, ValueError, OverflowError) as error:
            return view.note(str(error)) + view.status(host.runner().last())

    return guarded


def _status() -> str:
    return view.status(host.runner().last())


def _cancel() -> str:
    job = host.runner().last()
    if job is not None:
        host.runner().cancel(job.id)
    return _status()


def _prepare() -> str:
    return _started(prepare)


def _refreshed(gr: Any) -> Any:
    def refresh() -> tuple[Any, Any]:
        host.refresh_checkpoints()
        host.refresh_loras()
        return gr.update(choices=list(host.checkpoints())), gr.update(choices=list(host.loras()))

    return refresh


def _metrics() -> list[str]:
    from ..core.metrics.metric import all_metrics

    return [metric.name for metric in all_metrics()]


def _numbers(text: Any) -> list[float]:
    try:
        return [float(part) for part in str(text or "1").split(",")]
    except ValueError:
        raise Refusal("Strengths are numbers with commas between them, such as 0.5, 1.") from None


def _labels(names: list[tuple[str, str]]) -> list[str]:
    # Both gradio lines know choices that are plain texts, and only one knows pairs.
    return [f"{shown} · {name}" for shown, name in names]


def _first(names: list[tuple[str, str]]) -> str | None:
    labels = _labels(names)
    return labels[0] if labels else None


def _report(label: Any) -> "tuple[Path | None, Report | None]":
    folder = _folder(label)
    return folder, None if folder is None else reports.read(folder / reports.FILE)


def _folder(label: Any) -> Path | None:
    return reports.folder_of(str(label).rpartition(" · ")[2]) if label else None
