"""Returns the LoRAs that texts name, or why they name none."""

from walk import ARGUMENTS, answer, pack

named, found = pack("nodes.backend.places").loras_named, []
for text in ARGUMENTS[0]:
    try:
        found.append(named(text))
    except pack("core.errors").UsageError as error:
        found.append(str(error))
answer(found=found)
