"""A stand-in for comfy_execution.graph_utils."""


class ExecutionBlocker:
    def __init__(self, message):
        self.message = message
