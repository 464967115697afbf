"""How pictures are drawn step by step, by name. No torch."""

DDIM, DPM_2M = "ddim", "dpm++2m"
SOLVERS = (DDIM, DPM_2M)
"""DDIM, which is Euler's method on flows, and DPM-Solver++(2M), which is as near the end in two thirds of the steps."""
