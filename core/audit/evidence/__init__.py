"""What metrics need, recorded sample by sample: rows, answers, drawings and what they cost."""
