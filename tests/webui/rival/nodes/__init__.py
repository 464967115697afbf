"""Of another extension: whoever imports this took the wrong one."""

RIVAL = True
