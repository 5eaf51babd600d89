"""A deterministic event loop in virtual time, on which workers can be killed at any step.

Code of a worker runs in contexts that name it; code without a worker is the outside: storage, Graph
and the host. Once a worker is dead, none of its steps runs again, not even a `finally`.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

UNLIMITED: Final = 1 << 62
WORKER: Final[ContextVar["Mortal | None"]] = ContextVar("WORKER", default=None)


class Stuck(Exception):
    """Nothing is left to run, though something was waited for."""


class Exhausted(Exception):
    """A history takes more steps than any should: something goes round and round."""


class Buried(BaseException):
    """Raised by every call of a dead worker while its coroutines are closed."""


@dataclass(eq=False, slots=True)
class Mortal:
    """What runs on the loop and may die: `fuse` steps from now, or when `die` is called."""

    name: str
    on_fuse: Callable[[], None]
    fuse: int = -1
    dead: bool = False
    buried: bool = False
    steps: int = 0
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    graves: list[Any] = field(default_factory=list)

    def die(self) -> None:
        """Never run a step of it again."""
        self.dead = True


class _Task(asyncio.Task[Any]):
    """A task that sets order by its number, since sets of tasks must not depend on addresses."""

    number: int

    def __hash__(self) -> int:
        return self.number


class _Handle(Protocol):
    _context: Context
    _cancelled: bool
    _when: float
    _scheduled: bool

    def _run(self) -> None: ...


class _Later(asyncio.TimerHandle):
    """A timer of the outside, which nobody cancels."""

    _context: Context
    _loop: asyncio.AbstractEventLoop
    _callback: Callable[..., object]
    _args: Sequence[Any]
    _cancelled: bool
    _scheduled: bool
    _repr: str | None
    _source_traceback: Any
    _when: float


class SimulatedLoop(asyncio.BaseEventLoop):
    """An event loop whose time jumps to the next timer whenever nothing is ready."""

    _ready: deque[_Handle]
    _scheduled: list[tuple[float, int, _Handle]]

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.most_steps = UNLIMITED
        self.outside = Context()
        self._now = 0.0
        self._timers = 0
        self._task_numbers = 0
        self.set_task_factory(self._new_task)
        self.set_exception_handler(lambda _loop, context: self.failures.append(context))
        self.failures: list[dict[str, Any]] = []

    def time(self) -> float:
        return self._now

    def later(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        """Call something of the outside after a delay, whoever asks for it."""
        # What `call_later` does, in half the time: a third of all steps begin here.
        handle = _Later.__new__(_Later)
        handle._context, handle._loop = self.outside, self
        handle._callback, handle._args = callback, args
        handle._cancelled, handle._scheduled = False, True
        handle._repr = handle._source_traceback = None
        handle._when = self._now + delay
        self._push(handle)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a callback; those of the same time run in the order in which they were asked."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]
        self._push(timer)
        return timer

    def _push(self, handle: Any) -> None:
        # Tuples are compared without a step of Python, and there are twenty comparisons a timer.
        self._timers += 1
        heapq.heappush(self._scheduled, (handle._when, self._timers, handle))

    def finish(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine of the outside to its end."""
        task = self.create_task(coroutine, context=self.outside)
        task.add_done_callback(lambda _: self.stop())
        try:
            self.run_forever()
        except Stuck:
            # A `BaseEventLoop` that raises has left `run_forever` in order.
            raise Stuck(f"at {self._now:.3f}: {task}") from None
        task.result()

    def bury(self, worker: Mortal) -> None:
        """Close the coroutines of a dead worker, so that they do not outlive the history."""
        worker.buried = True
        alive = [task for task in worker.tasks if not task.done()]
        for task in alive:
            task.cancel()
        for handle in worker.graves:
            if not handle._cancelled:
                self._ready.append(handle)
        worker.graves = []
        for _ in range(1_000):
            if all(task.done() for task in alive):
                break
            self.call_soon(self.stop, context=self.outside)
            self.run_forever()
            for task in alive:
                if not task.done() and not self._ready:
                    task.cancel()
        worker.tasks = []

    def _new_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Task[Any]:
        # The hash is needed while the task is made, so the class bears it for a moment.
        self._task_numbers += 1
        _Task.number = self._task_numbers
        task = _Task(coroutine, loop=loop, **options)
        task.number = self._task_numbers
        context = options.get("context")
        worker = WORKER.get() if context is None else context.get(WORKER)
        if worker is not None:
            worker.tasks.append(task)
        return task

    def _run_once(self) -> None:
        if self.steps > self.most_steps:
            raise Exhausted
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            while scheduled and scheduled[0][2]._cancelled:
                heapq.heappop(scheduled)[2]._scheduled = False
            if not scheduled:
                raise Stuck
            self._now = max(self._now, scheduled[0][0])
            while scheduled and scheduled[0][0] <= self._now:
                handle = heapq.heappop(scheduled)[2]
                handle._scheduled = False
                if not handle._cancelled:
                    ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            worker = handle._context.get(WORKER)
            if worker is None:
                self.steps += 1
                handle._run()
            elif self._may_run(worker):
                handle._run()
            else:
                worker.graves.append(handle)

    def _may_run(self, worker: Mortal) -> bool:
        if worker.dead:
            return worker.buried
        self.steps += 1
        worker.steps += 1
        if worker.fuse > 0:
            worker.fuse -= 1
            if worker.fuse == 0:
                self.outside.run(worker.on_fuse)
        return not worker.dead

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, work: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        del executor
        future = self.create_future()

        def run() -> None:
            if future.cancelled():
                return
            try:
                result = work(*args)
            except Exception as error:  # noqa: BLE001 - it is the caller's
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_soon(run)
        return future

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        return self.call_soon(callback, *args, context=context)

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        pass

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        # What a dead worker left open is collected without a step of its code.
        pass

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, event_list: object) -> None:
        pass
