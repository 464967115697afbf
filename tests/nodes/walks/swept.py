"""Answers with one LoRA at several strengths, and says which texts name strengths."""

from made_rows import done
from walk import ARGUMENTS, answer, pack

sweep = pack("nodes.sweep")
drifts, texts = ARGUMENTS
out = sweep.answer("a.safetensors", [done("a.safetensors", strength, drift) for strength, drift in drifts])
largest, text, chart = out.args
said = []
for given in texts:
    try:
        said.append(sweep.strengths_from(given))
    except pack("core.errors").UsageError as error:
        said.append(str(error))
answer(largest=largest, text=text, shape=list(chart.shape), panel=out.ui["owf"][0], said=said)
