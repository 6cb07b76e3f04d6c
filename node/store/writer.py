"""The one writer: a thread that runs waiting use cases in one transaction and lets results out after its commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from node.errors import HansaError, UnavailableError
from node.ports import Transaction
from node.store.faults import nothing_stored
from node.store.work import Work

__all__ = ["GROUP_MAX", "GROUP_SECONDS_MAX", "Writer"]

Result = TypeVar("Result")

GROUP_MAX = 64
"""Use cases in one commit."""

GROUP_SECONDS_MAX = 0.05
"""How long a group takes in more use cases, so that the first does not wait long for its commit."""


class _Job(NamedTuple):
    use_case: Callable[[Transaction], Any]
    future: Future[Any]


class _Done(NamedTuple):
    """What became of a use case; told to its caller only after the commit."""

    future: Future[Any]
    result: Any
    error: BaseException | None


class Writer:
    """Runs use cases first in, first out. `connect` makes the session, at first and again after a lost connection."""

    def __init__(self, connect: Callable[[], Work], work: Work) -> None:
        self._connect = connect
        self._work: Work | None = work
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._open = True
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="hansa-store-writer", daemon=True)
        self._thread.start()

    def submit(self, use_case: Callable[[Transaction], Result]) -> Future[Result]:
        """Queue a use case; the future has its result once that is durable."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a use case cannot wait for another one: it would wait for itself")
        future: Future[Result] = Future()
        with self._gate:
            if not self._open:
                raise UnavailableError("the store is closed", hint="Start the node again.")
            self._jobs.put(_Job(use_case, future))
        return future

    def close(self) -> None:
        """Finish what was queued, then end the thread and its session."""
        with self._gate:
            if self._open:
                self._open = False
                self._jobs.put(None)
        self._thread.join()
        self._drop()

    def _serve(self) -> None:
        more = True
        while more and (job := self._jobs.get()) is not None:
            if job.future.set_running_or_notify_cancel():
                more = self._group(job)

    def _group(self, first: _Job) -> bool:
        """Run one group, begun by `first`; False when the end of the queue was met."""
        done: list[_Done] = []
        more = True
        failure: BaseException | None = None
        try:
            work = self._ready()
            more = self._fill(work, first, done)
            if done:
                work.session.commit()
        except HansaError as error:
            failure = nothing_stored(error)
        except BaseException as error:
            # A fault of our own; nobody else could tell the callers, who must not wait for ever.
            failure = error
            self._drop()
        if failure is not None and not first.future.done() and not done:
            first.future.set_exception(failure)
        for future, result, fault in done:
            told = fault if failure is None else failure
            if told is None:
                future.set_result(result)
            else:
                future.set_exception(told)
        return more

    def _drop(self) -> None:
        if self._work is not None:
            self._work.session.rollback()
            self._work.session.close()
            self._work = None

    def _ready(self) -> Work:
        """A session in a new transaction; connects again where the connection was lost."""
        if self._work is not None and not self._work.session.usable:
            self._drop()
        if self._work is None:
            self._work = self._connect()
        self._work.session.begin()
        return self._work

    def _fill(self, work: Work, first: _Job, done: list[_Done]) -> bool:
        """Run use cases in the transaction until nobody waits or it is full; False when the end of the queue was met.

        Raises UnavailableError when the database ended the transaction.
        """
        until = monotonic() + GROUP_SECONDS_MAX
        # Alone in the transaction, the first needs no savepoint; where it fails, nothing was done, and nothing needs to
        # become durable before its caller hears of it.
        only = self._run(work, first, alone=True)
        if only.error is not None:
            work.session.rollback()
            first.future.set_exception(only.error)
            return True
        done.append(only)
        while len(done) < GROUP_MAX and monotonic() < until:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                return False
            if job.future.set_running_or_notify_cancel():
                done.append(self._run(work, job, alone=False))
                work.session.check()
        return True

    @staticmethod
    def _run(work: Work, job: _Job, *, alone: bool) -> _Done:
        try:
            if alone:
                result = job.use_case(work)
                work.session.check()
            else:
                with work.session.savepoint():
                    result = job.use_case(work)
        except BaseException as error:
            return _Done(job.future, None, error)
        return _Done(job.future, result, None)
