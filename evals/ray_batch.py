"""The tasks of a batch, worked on by the processes of a Ray cluster.

Each process is an actor that opens its models once and works on a trial at a time. The ledger is
the driver's alone: a worker tells it the run that it begins and the result that it comes to. What
a worker that is lost was doing is given out again, and goes on inside its run where the nodes share
LEADLINE_HOME.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

from .. import __version__
from ..agent.assembly import Wishes
from ..cancellation import Cancellation, unless_cancelled
from ..errors import Cancelled, ConfigError, LeadlineError, ServiceError
from ..extras import import_extra
from ..progress import silent
from ..tools.corpus_catalogue import CorpusCatalogue
from .batch import BatchResult, Trial, Work, failure, open_work

_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 10.0
_LOST_SECONDS = 1.0
"""Until a process whose node is lost has ended, and no longer holds its run."""
_MAX_LOST = 3
"""Workers that may be lost over one trial, or before they are open."""
_HOME = "LEADLINE_HOME"
_START = "start one with `ray start --head`, and join it on this machine"


class RayWorker:
    """One process of the cluster: an actor."""

    def __init__(self, wishes: Wishes, home: str | None) -> None:
        if home:
            os.environ[_HOME] = home
        self._wishes = wishes
        self._cancel = Cancellation()
        self._warnings: list[str] = []
        self._closing = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._work: Work | None = None

    async def open(self, version: str) -> tuple[str, list[str]] | LeadlineError:
        """Load the models; the node's name and warnings, or why it cannot be done.

        ``version`` is the driver's, which must be the worker's too.
        """
        if version != __version__:
            return ConfigError(
                f"{socket.gethostname()} has Leadline {__version__}, this machine has {version}",
                remedy="install the same version on every node",
            )
        opened = asyncio.Event()
        self._serving = asyncio.create_task(self._serve(opened))
        waiting = asyncio.create_task(opened.wait())
        await asyncio.wait((waiting, self._serving), return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done() and (error := self._serving.exception()):
            if isinstance(error, LeadlineError):
                return type(error)(f"{socket.gethostname()}: {error.problem}", remedy=error.remedy)
            raise error
        return socket.gethostname(), self._warnings

    async def work(
        self, trial: Trial, run_id: str | None
    ) -> AsyncIterator[str | BatchResult | Cancelled]:
        """The id of a run that is begun, if one is, then the result."""
        assert self._work is not None, "open comes first"
        messages: asyncio.Queue[str | BatchResult | Cancelled] = asyncio.Queue()
        doing = asyncio.create_task(_tell(self._work, trial, run_id, messages))
        while not isinstance(message := await messages.get(), BatchResult | Cancelled):
            yield message
        await doing
        yield message

    async def stop(self) -> None:
        """End the trial that is under way; its run can be gone on with."""
        self._cancel.cancel()

    async def close(self) -> None:
        """Close what :meth:`open` opened."""
        self._closing.set()
        if self._serving is not None:
            await self._serving

    async def _serve(self, opened: asyncio.Event) -> None:
        # One task opens and closes: some clients may not be closed by another.
        async with open_work(
            self._wishes, cancel=self._cancel, progress=silent, warn=self._warnings.append
        ) as self._work:
            opened.set()
            await self._closing.wait()


async def _tell(
    work: Work,
    trial: Trial,
    run_id: str | None,
    messages: asyncio.Queue[str | BatchResult | Cancelled],
) -> None:
    try:
        messages.put_nowait(await work(trial, run_id, messages.put_nowait))
    except Cancelled as error:
        messages.put_nowait(error)


@asynccontextmanager
async def open_ray_work(
    address: str,
    wishes: Wishes,
    *,
    workers: int,
    cancel: Cancellation,
    warn: Callable[[str], None],
) -> AsyncIterator[Work]:
    """Work by ``workers`` processes of the Ray cluster at ``address`` (host:port, or ``auto``).

    This machine must be one of the cluster's. Corpora that are folders, and models, must be on
    every node; settings travel, the key of an endpoint among them.

    Raises:
        MissingExtra: Ray is not installed.
        ConfigError: the address cannot be used, or versions differ.
        ServiceError: no cluster answers there.
        Cancelled: ``cancel`` was set meanwhile.
    """
    ray = import_extra("ray", extra="ray", purpose="a batch on a cluster")
    try:
        await asyncio.to_thread(_connect, ray, address)
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if cpus < workers:
            warn(
                f"the cluster has {cpus} CPUs; {workers - cpus} of {workers} workers wait for more"
            )
        pool = _Pool(ray, _portable(wishes), cancel, warn)
        pool.add(workers)
        remove = cancel.on_cancel(pool.stop)
        try:
            yield pool.work
        finally:
            remove()
            await pool.close()
    finally:
        await asyncio.to_thread(ray.shutdown)


class _Pool:
    """The workers that there are; each does one trial at a time."""

    def __init__(
        self, ray: ModuleType, wishes: Wishes, cancel: Cancellation, warn: Callable[[str], None]
    ) -> None:
        self._ray, self._cancel, self._warn = ray, cancel, warn
        actor = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(RayWorker)
        self._start = partial(actor.remote, wishes, os.environ.get(_HOME))
        self._workers: set[Any] = set()
        self._idle: asyncio.Queue[Any] = asyncio.Queue()
        """Workers without a trial; the error instead once none is left that could be opened."""
        self._opening: set[asyncio.Task[None]] = set()

    def add(self, count: int) -> None:
        """Start ``count`` more workers, each of which is used as soon as it is open."""
        for _ in range(count):
            task = asyncio.create_task(self._open_one())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def work(
        self, trial: Trial, run_id: str | None, begun: Callable[[str], None]
    ) -> BatchResult:
        """Have a worker do ``trial``, and another one where that is lost."""

        def note(new_run_id: str) -> None:
            nonlocal run_id
            run_id = new_run_id
            begun(new_run_id)

        for _ in range(_MAX_LOST):
            worker = await unless_cancelled(self._idle.get(), self._cancel)
            if isinstance(worker, LeadlineError):
                self._idle.put_nowait(worker)
                raise worker
            try:
                result = await self._done_or_stopped(self._ask(worker, trial, run_id, note))
            except self._ray.exceptions.RayTaskError:
                raise
            except self._ray.exceptions.RayError as error:
                self._cancel.check()
                name = trial.task.instance_id
                self._warn(f"{name} is given out again: a worker was lost ({_reason(error)})")
                self._drop(worker)
                self.add(1)
                await asyncio.sleep(_LOST_SECONDS)
                continue
            self._idle.put_nowait(worker)
            return result
        return failure(trial, f"{_MAX_LOST} workers were lost while they did this")

    def stop(self) -> None:
        """Have every worker end what it does."""
        for worker in self._workers:
            worker.stop.remote()

    async def close(self) -> None:
        """End all workers; those that do not close in time are killed."""
        for task in self._opening:
            task.cancel()
        closing = [asyncio.ensure_future(_awaited(w.close.remote())) for w in self._workers]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_SECONDS)
            for task in closing:
                task.cancel()
            # A worker that is lost now had nothing left to do.
            await asyncio.gather(*closing, return_exceptions=True)
        for worker in list(self._workers):
            self._drop(worker)

    async def _open_one(self) -> None:
        error: LeadlineError = ServiceError("no worker could be started")
        for _ in range(_MAX_LOST):
            worker = self._start()
            self._workers.add(worker)
            try:
                opened = await worker.open.remote(__version__)
            except self._ray.exceptions.RayError as lost:
                error = ServiceError(
                    f"a worker was lost before it was open ({_reason(lost)})",
                    remedy="see that every node has Leadline, and the logs in /tmp/ray there",
                )
                self._drop(worker)
                await asyncio.sleep(_LOST_SECONDS)
                continue
            if isinstance(opened, LeadlineError):
                error = opened
                self._drop(worker)
                break
            node, warnings = opened
            for warning in warnings:
                self._warn(f"{node}: {warning}")
            self._idle.put_nowait(worker)
            return
        self._warn(f"one worker less: {error}")
        if not self._workers and self._opening <= {asyncio.current_task()}:
            self._idle.put_nowait(error)

    async def _ask(
        self, worker: Any, trial: Trial, run_id: str | None, begun: Callable[[str], None]
    ) -> BatchResult:
        async for reference in worker.work.remote(trial, run_id):
            message = await reference
            if isinstance(message, BatchResult):
                return message
            if isinstance(message, Cancelled):
                raise message
            begun(message)
        raise ServiceError(f"a worker ended {trial.task.instance_id} without a result")

    async def _done_or_stopped(self, asking: Coroutine[Any, Any, BatchResult]) -> BatchResult:
        """What is asked for; after a stop it is waited for until workers should have ended."""
        task = asyncio.create_task(asking)
        stopped = asyncio.create_task(self._cancel.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((task,), timeout=_CLOSE_SECONDS)
            if not task.done():
                self._cancel.check()
            return await task
        finally:
            task.cancel()
            stopped.cancel()

    def _drop(self, worker: Any) -> None:
        self._workers.discard(worker)
        self._ray.kill(worker)


async def _awaited(reference: Any) -> Any:
    return await reference


def _portable(wishes: Wishes) -> Wishes:
    """With folders as they are called from everywhere."""
    names = CorpusCatalogue().names()
    corpora = (
        name if name in names or not os.path.isdir(name) else os.path.abspath(name)
        for name in wishes.corpora
    )
    return replace(wishes, corpora=tuple(corpora))


def _connect(ray: ModuleType, address: str) -> None:
    if address != "auto":
        _check_answers(address)
    # It would say that it leaves the signals to us.
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except RuntimeError as error:
        raise ConfigError(
            f"the Ray cluster at {address} cannot be joined ({error})",
            remedy="have the same versions of Ray and Python here as there",
        ) from error
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise ServiceError(
            f"no Ray cluster is found at {address} ({error})", remedy=_START
        ) from error


def _check_answers(address: str) -> None:
    """Raises what is wrong at once, where Ray would try for two minutes and end the process."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ConfigError(
            f"{address} is no address of a Ray cluster",
            remedy="give host:port as `ray start --head` prints it, on one of its machines",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise ServiceError(
            f"no Ray cluster answers at {address} ({error})", remedy=_START
        ) from error


def _reason(error: Exception) -> str:
    """The last line of what Ray says, which is long."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:200]
