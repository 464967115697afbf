"""Returns what a folder of pictures is known by."""

from walk import ARGUMENTS, answer, pack

places = pack("nodes.backend.places")
answer(mark=places.folder_mark(places.input_folder(*ARGUMENTS)))
