"""Asks whether a training can be written, in the words of a graph, and returns why it cannot."""

from walk import answer, pack

try:
    with pack("nodes.ui.wording").graph_words():
        pack("nodes.training.training").require_places(pack("nodes.backend.places").reports_folder() / "training" / "x")
except pack("core.errors").UsageError as error:
    answer(said=str(error))
