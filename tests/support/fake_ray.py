"""As much of Ray as `ray_workers.py` asks, on threads of one process, with actors that can die."""

import types
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class RayActorError(RayError):
    pass


class FakeRay(types.ModuleType):
    """One cluster. `dies` says how many calls each actor in turn survives; None is all."""

    def __init__(self, gpus=0.0, dies=()):
        super().__init__("ray")
        self.gpus, self.dies, self.made, self.options, self.killed = gpus, list(dies), [], None, []
        self.exceptions = types.SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
        self.pool = ThreadPoolExecutor(16)

    def init(self, **options):
        self.address = options["address"]

    def cluster_resources(self):
        return {"CPU": 4.0, "GPU": self.gpus}

    def remote(self, **options):
        self.options = options
        return lambda kind: types.SimpleNamespace(remote=lambda *arguments: self._make(kind, arguments))

    def _make(self, kind, arguments):
        actor = Actor(self, kind(*arguments), self.dies.pop(0) if self.dies else None)
        self.made.append(actor)
        return actor

    def wait(self, futures, num_returns, timeout):
        done, left = wait_for(futures, timeout, FIRST_COMPLETED)
        return list(done)[:num_returns], [*list(done)[num_returns:], *left]

    def get(self, future):
        return future.result()

    def kill(self, actor):
        self.killed.append(actor)


class Actor:
    def __init__(self, ray, held, left):
        self._ray, self._held, self._left = ray, held, left

    def __getattr__(self, name):
        return types.SimpleNamespace(remote=lambda *arguments: self._ray.pool.submit(self._call, name, arguments))

    def _call(self, name, arguments):
        if name == "do" and self._left is not None:
            if not self._left:
                self._held.end()
                raise RayActorError("the actor died")
            self._left -= 1
        try:
            return getattr(self._held, name)(*arguments)
        except Exception as error:
            raise RayTaskError(str(error)) from error
