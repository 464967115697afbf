"""Labels two pictures wrongly, and then rightly."""

import torch
from walk import answer, pack

label, said = pack("nodes.auditing.request").label_images, []
for labels in ("cat", "cat, cat"):
    try:
        label(torch.rand(2, 8, 12, 3), labels, 16)
    except pack("core.errors").UsageError as wrong:
        said.append(str(wrong))
made = label(torch.rand(2, 8, 12, 3), "dog\ncat", 16)
answer(said=said, classes=made.classes, labels=made.labels.tolist(), shape=list(made.images.shape))
