"""README's commands give the same on any day: one set of versions, in README, in .ci/run and in pyproject.toml."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PINS = [Requirement(line) for line in LINES]
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
}


def commands(page: Path) -> Iterator[str]:
    """Yield the lines of a page's shell blocks."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        yield from block.splitlines()


def installs_us(command: str) -> bool:
    return re.search(r"pip install .*(?<= )'?\.(\[|'| |$)", command) is not None


def test_ci_gives_both_commands_of_the_readme():
    said = [c for c in commands(ROOT / "README.md") if c.endswith(("owf-audit --demo", "pytest"))]
    run = (ROOT / ".ci" / "run").read_text().splitlines()
    assert len(said) == 2
    # Within a list of &&, `set -e` overlooks all but the last command.
    assert [f"{command} || exit" for command in said] == [line for line in run if line.endswith("|| exit")]


def test_every_command_that_installs_us_takes_the_known_good_versions():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "demo" / "README.md"]
    found = [command for page in pages for command in commands(page) if installs_us(command)]
    found += [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if installs_us(line)]
    assert len(found) >= 6
    assert not [command for command in found if "pip install -c constraints.txt " not in command]


def test_pip_can_use_the_constraints():
    for pin in PINS:
        assert not pin.extras, pin
        assert pin.url is None, pin
        assert re.fullmatch(r"==[^*]+", str(pin.specifier)), pin


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["3.10.0", "3.11.9", "3.12.0", "3.13.5"])
def test_the_known_good_versions_are_what_pyproject_asks_for(python, platform):
    where = {**default_environment(), **PLATFORMS[platform]}
    where |= {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    pins = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(where)]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(versions) == len(pins)
    asked = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    for line in asked:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(where):
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), line


def test_what_comfyui_installs_is_what_pyproject_asks_for():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    asked = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["train"]}
    known = {str(Requirement(line)) for line in asked}
    assert {str(Requirement(line)) for line in lines if not line.startswith("#")} <= known
