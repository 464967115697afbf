"""What is asked of an audit or a training: checked, with names of the host's lists only, and put as commands."""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.disk.files import replacing
from ..core.plan.presets import PRESETS
from ..core.text import file_stem, inert
from . import host
from .host import Refusal
from .jobs.job import Command, Job

MOST_LORAS = 100
"""LoRAs of one audit; more are a matter of days, and of the command line's length."""
MOST_STRENGTHS = 8
"""Strengths of one audit: each is a whole audit of every LoRA."""
STRONGEST = 10.0
"""Largest strength, either way: what lies beyond is a slip."""
_FIELDS = {"checkpoint", "loras", "strengths", "preset", "metrics", "policy"}


@dataclass(frozen=True)
class AuditAsk:
    """An audit, in the host's names."""

    checkpoint: str
    loras: tuple[str, ...]
    strengths: tuple[float, ...] = (1.0,)
    preset: str = "quick"
    metrics: tuple[str, ...] = ()
    """Empty takes those of the preset."""
    policy: str = ""
    """Name of limits; empty takes those of the settings."""

    @classmethod
    def read(cls, data: object) -> "AuditAsk":
        """Return what plain data of a stranger ask; raise Refusal for anything that is not as documented."""
        if not isinstance(data, Mapping):
            raise Refusal("The body must be a JSON object.")
        strange = sorted(inert(str(name), 40) for name in set(data) - _FIELDS)
        if strange:
            raise Refusal(f"Not known: {', '.join(strange[:5])}. An audit takes {', '.join(sorted(_FIELDS))}.")
        default = cls("", ())
        return cls(
            _text(data.get("checkpoint"), "checkpoint"),
            tuple(_text(name, "loras") for name in _list(data.get("loras"), "loras", MOST_LORAS)),
            tuple(map(_strength, _list(data.get("strengths", [1.0]), "strengths", MOST_STRENGTHS))),
            _text(data.get("preset", default.preset), "preset"),
            tuple(_text(name, "metrics") for name in _list(data["metrics"], "metrics", 50))
            if "metrics" in data
            else (),
            _text(data.get("policy", ""), "policy", least=0),
        )

    def job(self) -> Job:
        """Return the job that does it; raise Refusal where something is not on the host's lists."""
        from ..core.metrics.metric import all_metrics

        settings = host.settings()
        base = host.checkpoint(self.checkpoint)
        known = host.loras()
        files: dict[Path, str] = {}
        for name in self.loras:  # the command line audits a file once, whatever the names: so does the job
            files.setdefault(host.of_list(name, known, "LoRA"), name)
        _one_of(self.preset, PRESETS, "preset")
        metrics = {metric.name for metric in all_metrics()}
        for name in self.metrics:
            _one_of(name, metrics, "metric")
        policies = host.policies()
        limits = policies[_one_of(self.policy or settings.policy, policies, "policy")]
        options = [f"--preset={self.preset}"]
        options += [f"--metrics={','.join(dict.fromkeys(self.metrics))}"] if self.metrics else []
        options += [] if limits is None else [f"--policy={limits}"]
        options += _run_options(settings, base, host.data_folder() / "reports")
        commands = [
            Command(
                ("audit", f"--strength={strength!r}", *options, *map(str, files)),
                tuple(files.values()),
                strength,
            )
            for strength in dict.fromkeys(self.strengths)
        ]
        first = inert(self.loras[0], 60)
        title = first if len(files) == 1 else f"{first} and {len(files) - 1} more"
        return Job("audit", f"{title} on {inert(self.checkpoint, 60)}", tuple(commands))


@dataclass(frozen=True)
class TrainAsk:
    """A training, in the host's names."""

    checkpoint: str
    pictures: Path | None
    """Folder on the host's machine; None where pictures were uploaded."""
    uploads: tuple[Path, ...]
    name: str
    trigger: str
    class_word: str
    preset: str = ""
    """Name of a recipe; empty takes `steps` as they are."""
    steps: int = 0
    """0 takes the recipe's, or the usual number."""
    preserve: tuple[str, ...] = ("dc",)
    dc_weight: float | None = None
    """None lets the training set it."""
    drift_budget: float = 0.0
    sample_every: int = 0

    @property
    def folder(self) -> Path:
        """Where everything of this training lies."""
        return host.data_folder() / "training" / self.name

    @property
    def lora(self) -> Path:
        """The file that it makes in the host's folder."""
        return host.lora_folder() / f"{self.name}.safetensors"

    def job(self) -> Job:
        """Return the job that does it; raise Refusal for what cannot be. `begin` puts its pictures in place."""
        from ..core.families import RECIPES
        from ..core.train.plan import TERMS

        if not self.name or file_stem(self.name) != self.name:
            raise Refusal("The name of a LoRA is made of letters, digits, - and _.")
        if os.path.lexists(self.lora):
            raise Refusal(f"There is a LoRA {self.name} already: choose another name.")
        if not self.trigger.strip():
            raise Refusal("Name a trigger: the word that is to call the concept.")
        if not all(map(host.is_argument, (self.trigger, self.class_word))):
            raise Refusal("Trigger and class hold characters that no program can be given.")
        settings = host.settings()
        base = host.checkpoint(self.checkpoint)
        if self.preset:
            _one_of(self.preset, RECIPES, "preset")
        for term in self.preserve:
            _one_of(term, TERMS, "way to preserve")
        pictures = self._pictures()
        options = [f"--trigger={self.trigger}", f"--class={self.class_word}", f"--name={self.name}"]
        options += [f"--preset={self.preset}"] if self.preset else []
        options += [f"--steps={self.steps}"] if self.steps else []
        options += [f"--preserve={','.join(self.preserve) or 'none'}", f"--sample-every={self.sample_every}"]
        options += [f"--drift-budget={self.drift_budget!r}"] if self.drift_budget else []
        options += [] if self.dc_weight is None else [f"--dc-weight={self.dc_weight!r}", "--dc-control=fixed"]
        options += _run_options(settings, base, self.folder)
        return Job("train", self.name, (Command(("train", *options, str(pictures))),))

    def _pictures(self) -> Path:
        if self.uploads:
            return self.folder / "pictures"
        if self.pictures is None:
            raise Refusal("Name a folder of pictures, or upload some.")
        if host.is_open_to_others():
            raise Refusal("This host lets nobody name its folders: upload the pictures.")
        if not self.pictures.is_absolute() or not self.pictures.is_dir():
            raise Refusal(f"There is no folder {inert(str(self.pictures), 200)}: give its whole path.")
        return self.pictures

    def begin(self, job: Job) -> None:
        """Put uploaded pictures in place, once the job runs: until then another one may train from those there."""
        if self.uploads:
            _keep(self.uploads, self.folder / "pictures")

    def finish(self, job: Job) -> None:
        """Put the LoRA into the host's folder and list: whole or not at all, and it never replaces a file."""
        made = self.folder / f"{self.name}.safetensors"
        self.lora.parent.mkdir(parents=True, exist_ok=True)
        with made.open("rb") as source, replacing(self.lora) as target:
            shutil.copyfileobj(source, target)
            if os.path.lexists(self.lora):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self.lora))
        host.refresh_loras()


def _run_options(settings: host.Settings, base: Path, out: Path) -> list[str]:
    cache = [f"--cache={settings.cache}"] if settings.cache else []
    where = [f"--base={base}", f"--out={out}", *cache, f"--device={settings.device}"]
    return [*where, "--progress=json", "--resume"]  # what was cancelled goes on; what was not begins


def _keep(uploads: Sequence[Path], folder: Path) -> None:
    """Fill a folder with exactly these pictures, called as they were."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, path in enumerate(uploads):
        stem, ending = file_stem(path.stem, "picture"), path.suffix.lower()
        shutil.copyfile(path, folder / f"{number:03}-{stem[:60]}{ending[:6]}")


def _one_of(name: str, known: Any, what: str) -> str:
    if name not in known:
        raise Refusal(f"There is no {what} {inert(name, 100)!r}; choose from {', '.join(sorted(known))}.")
    return name


def _text(value: object, field: str, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value) <= 1000:
        raise Refusal(f"{field}: text of {least} to 1000 characters is needed.")
    return value


def _list(value: object, field: str, most: int) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise Refusal(f"{field}: a list of 1 to {most} is needed.")
    return value


def _strength(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refusal("strengths: numbers are needed.")
    if not abs(value) <= STRONGEST:  # not so for NaN either; and JSON has whole numbers that are no float's
        raise Refusal(f"strengths: numbers from {-STRONGEST:g} to {STRONGEST:g} are needed.")
    return float(value)
