"""What `core` says, in the words of the command line: options instead of settings."""

from ...core.errors import OFF, OwfError, Setting
from ...core.plan.option import key


def flag(name: str) -> str:
    """Return the option that sets a field."""
    return f"--{key(name)}"


def worded(error: OwfError) -> str:
    """Return what an error says, with the options that mend it in brackets."""
    return error.worded(option)


def option(setting: Setting) -> str:
    """Return what is to be typed, such as `--dtype float32`."""
    if setting.name == "install":
        return f"pip install {setting.value}"
    if setting.value == OFF:
        return f"without {flag(setting.name)}"
    return f"{flag(setting.name)} {setting.value}".rstrip()
