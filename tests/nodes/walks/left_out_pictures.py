"""Returns what of a folder of pictures, and of a batch, is not trained on, and what the folder is known by."""

from walk import ARGUMENTS, answer, pack

session, plan = pack("core.train.session"), pack("core.train.plan").TrainPlan(class_word="bag")
places = pack("nodes.backend.places")
folder = places.input_folder(*ARGUMENTS)


def left_out(pictures):
    return session.TrainSession(session.TrainRequest(plan, pictures)).left_out()


answer(folder=left_out(folder), batch=left_out(()), mark=places.folder_mark(folder))
