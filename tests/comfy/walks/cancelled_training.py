"""Cancels a training after its second step."""

from kept_models import Canceller, keep, late, load, state
from prelude import GIVEN, answer, run

before = state(load()[0].model)
server = Canceller(lambda event, data: event == "owf.training" and data["step"] >= 2)
run(GIVEN["prompt"], server)
model = keep["models"][0].model
answer(
    late=sum(late),
    interrupted=any(event == "execution_interrupted" for event, _ in server.sent),
    same=state(model) == before,
    kinds=[str(type(module)) for module in model.modules() if "peft" in type(module).__module__],
)
