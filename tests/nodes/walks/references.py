"""Returns what the audit node makes of a concept's words, a folder of pictures of it, and a network of open_clip."""

from walk import ARGUMENTS, answer, pack

request, core = pack("nodes.auditing.request"), pack("core.audit.request")
try:
    asked = request.compared(core.AuditRequest(metrics=("clip_i", "map")), *ARGUMENTS)
    found = "" if asked.references is None else asked.references.name
    answer(concept=asked.concept, references=found, open_clip=asked.open_clip)
except pack("core.errors").UsageError as error:
    answer(said=str(error))
