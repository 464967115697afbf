"""Cancels an audit in a stage."""

from kept_models import Canceller, keep, late, load, state
from prelude import GIVEN, answer, run


def of(models):
    return state(models[0].model, models[1].cond_stage_model, models[2].first_stage_model)


before = of(load())
server = Canceller(lambda event, data: event == "owf.progress" and data["stage"] == GIVEN["stage"] and data["done"])
run(GIVEN["prompt"], server)
answer(
    late=sum(late),
    interrupted="execution_interrupted" in [event for event, _ in server.sent],
    same=of(keep["models"]) == before,
    patched=bool(keep["models"][0].patches),
)
