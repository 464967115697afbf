"""Spreads captions over two images."""

from walk import answer, pack

captions_for = pack("nodes.training.training").captions_for
plan = pack("core.train.plan").TrainPlan(trigger="sks", class_word="bag")
captions = [captions_for(text, 2, plan) for text in ("", "one", "one\n\ntwo")]
try:
    captions_for("1\n2\n3", 2, plan)
except pack("core.errors").UsageError as error:
    answer(captions=captions, said=str(error))
