"""Runs the meter where the user has pressed cancel."""

import comfy.model_management as management
from walk import NODES, answer

management.interrupted = True
try:
    NODES["OWF_CDIKIDMeter"].execute(None, None, "none", 0)
except management.InterruptProcessingException:
    answer(stopped=True)
