"""A stand-in for comfy.utils."""

moves = []


class ProgressBar:
    def __init__(self, total, node_id=None):
        self.total = total

    def update_absolute(self, value, total=None, preview=None):
        moves.append((value, total, preview))
