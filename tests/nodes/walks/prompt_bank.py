"""Joins a bank that ships with prompts of one's own, and an empty one with none."""

from walk import NODES, answer, pack

node = NODES["OWF_PromptBank"]
bank, text = node.execute("demo base", " a  lamp \n# no prompt\n\na lamp").args
own, _ = node.execute("only my own", "a lamp").args
try:
    node.execute("only my own", "# nothing")
except pack("core.errors").UsageError as error:
    said = str(error)
    answer(count=len(bank), last=bank[-1], lines=len(text.splitlines()), own=list(own), said=said)
