"""A stand-in for comfy.model_management."""


class InterruptProcessingException(Exception):
    pass


interrupted = False


def throw_exception_if_processing_interrupted():
    if interrupted:
        raise InterruptProcessingException
