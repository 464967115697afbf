"""The command line: parse, plan, call core, render."""
