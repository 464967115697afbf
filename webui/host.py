"""What is read from the host, and what is asked of it: lists, folders, settings, its memory. Everything else of the
extension knows no `modules`."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.text import inert
from . import environment
from .jobs.job import ENDED, Job
from .jobs.runner import Runner, Turn

SECTION = ("owf", "OWF")
"""Identifier and title of the settings."""
BUILT_IN = "built in"
"""Name of the limits that ship."""
_runner: Runner | None = None


class Refusal(Exception):
    """A sentence for whoever asked; nothing was begun."""


@dataclass(frozen=True)
class Settings:
    """The extension's settings in the host."""

    python: str
    """Python of the child process; empty where none is prepared."""
    cache: str
    """Folder of base results; empty for the usual one."""
    policy: str
    """Name of the limits that are taken where none are chosen."""
    device: str
    cards: bool
    """Whether a verdict is written into the description that the host shows on a LoRA's card."""


def add_settings() -> None:
    """Add the settings to the host's page."""
    import gradio as gr
    from modules import shared

    from ..core.model.device import DEVICES

    def add(name: str, default: Any, label: str, info: str, component: Any = None, choices: Any = None) -> None:
        # What names a program or a folder is not to be set through the host's API.
        option = shared.OptionInfo(default, label, component, choices, section=SECTION, restrict_api=True)
        shared.opts.add_option(name, option.info(info))

    add("owf_python", "", "Python that runs audits and trainings", "empty: the private one, prepared in the tab OWF")
    add("owf_cache", "", "Folder for what was measured of a base", "empty: the user's cache folder")
    add("owf_policy", BUILT_IN, "Default policy", f'"{BUILT_IN}", or a file of owf/policies without its .toml')
    add("owf_device", "auto", "Device", "where the child process computes", gr.Dropdown, {"choices": list(DEVICES)})
    add("owf_cards", True, "Write verdicts into the descriptions on LoRA cards", "one line; the rest stays as it is")


def settings() -> Settings:
    """Return the settings as they are now."""
    from modules import shared

    def of(name: str, default: Any) -> Any:
        return getattr(shared.opts, name, default)

    return Settings(
        python=str(of("owf_python", "")).strip() or environment.python(),
        cache=str(of("owf_cache", "")).strip(),
        policy=str(of("owf_policy", BUILT_IN)).strip() or BUILT_IN,
        device=str(of("owf_device", "auto")),
        cards=bool(of("owf_cards", True)),
    )


def checkpoints() -> dict[str, Path]:
    """Return the host's checkpoints by the titles that it gives them."""
    from modules import sd_models

    return _shown({str(title): Path(info.filename) for title, info in list(sd_models.checkpoints_list.items())})


def checkpoint(name: str) -> Path:
    """Return the checkpoint that a name means to the host: a title, or another that it knows the same file by.

    A title gains the file's hash when the host first loads it, and pages and clients hold the one from before. Raises
    Refusal where the host knows no such name.
    """
    from modules import sd_models

    others = {str(alias): Path(info.filename) for alias, info in list(sd_models.checkpoint_aliases.items())}
    return of_list(name, {**_shown(others), **checkpoints()}, "checkpoint")


def loras() -> dict[str, Path]:
    """Return the host's LoRAs by the names that it gives them; none where its Lora extension is off."""
    networks = sys.modules.get("networks")
    found: Mapping[str, Any] = getattr(networks, "available_networks", {})
    return _shown({str(name): Path(network.filename) for name, network in list(found.items())})


def _shown(listed: Mapping[str, Path]) -> dict[str, Path]:
    """Return what of a list a page can show: one name that is not UTF-8 would keep the host's whole page from loading.

    Nor could the libraries that read models open such a file.
    """
    return {name: path for name, path in listed.items() if is_argument(name) and is_argument(str(path))}


def is_argument(text: str) -> bool:
    """Return whether a text can be passed on, to a page or a process: it is UTF-8, and holds no NUL."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def of_list(name: str, known: Mapping[str, Path], what: str) -> Path:
    """Return the file that one of the host's lists has under a name; raises Refusal where it has none."""
    if name not in known:
        raise Refusal(
            f"The host lists no {what} {inert(name, 100)!r}. Refresh its list, and name it as it stands there."
        )
    return Path(os.path.abspath(known[name]))  # noqa: PTH100 - the host's links are the user's


def unprepared() -> str:
    """Return what to do where there is no Python for the child process."""
    return f"{environment.said_before()} {environment.how_to()}"


def refresh_checkpoints() -> None:
    """Have the host look for checkpoints again."""
    from modules import sd_models

    sd_models.list_models()


def refresh_loras() -> None:
    """Have the host look for LoRAs again."""
    networks = sys.modules.get("networks")
    if networks is not None:
        networks.list_available_networks()


def lora_folder() -> Path:
    """Return where the host looks for LoRAs."""
    from modules import paths, shared

    chosen = getattr(shared.cmd_opts, "lora_dir", None)
    return Path(chosen) if chosen else Path(paths.models_path) / "Lora"


def data_folder() -> Path:
    """Return the folder of reports, trainings and policies, below the host's own data."""
    from modules import paths

    return Path(paths.data_path) / "owf"


def policies() -> dict[str, Path | None]:
    """Return the limits that can be chosen by name; None are those that ship."""
    files = sorted((data_folder() / "policies").glob("*.toml"))
    return {BUILT_IN: None, **{file.stem: file for file in files if file.is_file()}}


def is_open_to_others() -> bool:
    """Return whether people from elsewhere may use the page, so that it must not read any folder they name."""
    from modules import shared

    options = shared.cmd_opts
    closed = getattr(options, "disable_extension_access", False) or getattr(options, "hide_ui_dir_config", False)
    return bool(closed)


def may_install() -> bool:
    """Return whether the host lets people install extensions from its page, which closes where others may come by."""
    from modules import shared

    return not getattr(shared.cmd_opts, "disable_extension_access", False)


def with_api() -> bool:
    """Return whether the host runs with `--api`."""
    from modules import shared

    return bool(getattr(shared.cmd_opts, "api", False) or getattr(shared.cmd_opts, "nowebui", False))


def api_auth() -> str | None:
    """Return what `--api-auth` was given: `user:password` pairs with commas between them; None without it."""
    from modules import shared

    return getattr(shared.cmd_opts, "api_auth", None)


def runner() -> Runner:
    """Return the runner of this process: tab and API share it, and it outlives a reload of the page's scripts."""
    global _runner
    if _runner is None:
        _runner = Runner(HostTurn())
    return _runner


class HostTurn(Turn):
    """The host waits and keeps its memory free while a job runs."""

    @contextmanager
    def hold(self, job: Job) -> Iterator[None]:
        """Return a context in which the host generates nothing; it ends with the host as it was."""
        from modules import call_queue, shared

        with call_queue.queue_lock:
            if job.state in ENDED:  # cancelled while it waited
                yield
                return
            shared.state.begin(job="owf")
            try:
                give_back = _free_memory(job)
                try:
                    yield
                finally:
                    give_back()
            finally:
                shared.state.end()

    def interrupted(self) -> bool:
        """Return whether the host's Interrupt was pressed since the job began."""
        from modules import shared

        return bool(shared.state.interrupted)


def _free_memory(job: Job) -> Callable[[], None]:
    """Move the host's model out of the GPU; return what brings it back where the host does not by itself."""
    from modules import sd_models

    # Never `shared.sd_model`: reading it loads the model.
    model = getattr(sd_models.model_data, "sd_model", None)
    if model is None:
        return lambda: None
    _guarded(job, sd_models.unload_model_weights, model)
    devices = sys.modules.get("modules.devices")
    if devices is not None:
        _guarded(job, devices.torch_gc)

    def give_back() -> None:
        # AUTOMATIC1111 leaves it in main memory otherwise, and its next picture fails. Forge loads what it needs.
        if getattr(sd_models.model_data, "sd_model", None) is model and hasattr(sd_models, "send_model_to_device"):
            _guarded(job, sd_models.send_model_to_device, model)

    return give_back


def _guarded(job: Job, call: Callable[..., Any], *arguments: Any) -> None:
    """Call the host; what it raises is kept in the job's log and ends nothing: there may be memory enough anyway."""
    try:
        call(*arguments)
    except Exception as error:
        job.say(f"The host's {getattr(call, '__name__', call)} failed: {error!r}")
