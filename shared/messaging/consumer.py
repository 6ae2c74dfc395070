"""How the services' workers take events from the broker: nameko, with what it does wrong put right.

This module and the `worker.py` files alone know nameko. What happens to an event is in `inbox` and `batch`;
here is only when it is taken, in which order, and when it is acked. The process that runs workers patches the
standard library first (`import shared.messaging.green`).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, TypeVar, cast

import eventlet
import structlog
from amqp import exceptions as amqp
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from nameko.containers import ServiceContainer
from nameko.extensions import DependencyProvider
from nameko.messaging import Consumer, QueueConsumer
from nameko.timer import Timer
from nameko.utils.concurrency import SpawningProxy
from sqlalchemy import Engine, text

from shared import telemetry
from shared.clock import new_id
from shared.database import Context, UnitOfWork, system
from shared.events import event_types
from shared.messaging import delivery
from shared.messaging.delivery import Delivered, Delivery, Inbound
from shared.messaging.inbox import StorageDownError
from shared.messaging.line import Line
from shared.messaging.link import HEARTBEAT, SOCKET, nodes_of, opened
from shared.messaging.wire import decode
from shared.process import settle

log = structlog.get_logger(__name__)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
Method = TypeVar("Method", bound=Callable[..., Any])
TimedAct = Callable[[UnitOfWork], object]

# Wrong queue, wrong rights, wrong arguments: no retry mends them, so the service dies and says so.
FATAL = (amqp.PreconditionFailed, amqp.NotFound, amqp.AccessRefused, amqp.ResourceLocked, amqp.NotAllowed)
MAX_WORKERS = 40  # more than all entrypoints of a service, so that beginning a message never blocks the connection
_LONGEST_PAUSE = 4.0  # seconds between attempts while the database is away
_LONGEST_RETRY = 2.0  # seconds between attempts while the broker is away
_ANSWER = 10.0  # seconds until a broker that answers nothing counts as away
_LOOP = 0.25  # seconds between looks at what else is to do when nothing arrives
_READ_AHEAD = 16_384  # bytes: of a larger message only what arrived waits in memory, not what it says as well


class Database(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """Gives the worker its engine. Connecting is left to the handler: a failure here would kill the container."""

    def get_dependency(self, worker_ctx: Any) -> Engine:  # noqa: ARG002 - nameko's signature
        engine: Engine = self.container.config["engine"]
        return engine


class ServiceWorker:
    """The base of every service's worker class; `name` is the service's."""

    name: ClassVar[str]
    engine: Engine = Database()

    def act(self, act: TimedAct) -> None:
        """Run a timed act in a unit of work, unless another process of this service is at it."""
        correlation_id = new_id()
        with telemetry.begin(self.name, f"timer {act.__name__}", correlation_id=correlation_id) as span:
            context = Context(system(self.name), correlation_id, traceparent=span.traceparent)
            with UnitOfWork(self.engine, self.name, context) as uow:
                mine = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
                if uow.connection.execute(mine, {"name": f"timer {act.__module__}.{act.__qualname__}"}).scalar_one():
                    act(uow)
            span.note({telemetry.IDLE: not uow.recorded})


class DrainingQueueConsumer(QueueConsumer):  # type: ignore[misc]
    """One connection of a service, which stays up until the last message in work is acked."""

    _pending_remove_providers: dict[Any, Any]  # nameko's: those that asked to leave, and how they are told

    def __init__(self) -> None:
        self._unsettled: set[tuple[int, int]] = set()
        self._writing = eventlet.semaphore.Semaphore()
        self._failures = 0
        super().__init__()

    @property
    def connection(self) -> Connection:
        return self._to(nodes_of(self.container.config["AMQP_URI"])[0])  # whose classes of errors are asked for

    def _to(self, node: str) -> Connection:
        config = self.container.config
        return Connection(  # type: ignore[no-untyped-call]
            node,
            heartbeat=config["HEARTBEAT"],
            connect_timeout=5,
            transport=Line,
            transport_options={"frame_handler": Inbound, "socket_settings": SOCKET},
        )

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        connection = opened(self.container.config["AMQP_URI"], self._to)  # `run` decides when to try again
        try:
            yield connection
            with _answering():
                connection.release()
        except BaseException:
            connection.collect(socket_timeout=1)  # close() would wait for an answer that a broken link never gives
            raise

    @contextmanager
    def Consumer(self) -> Iterator[Any]:  # noqa: N802 - kombu's name
        """Connect and begin to consume, within a time: heartbeats are looked at only afterwards."""
        with _answering() as answered, super().Consumer() as parts:
            answered()
            yield parts

    def run(self, **kwargs: Any) -> None:
        """Consume, and reconnect after failures of the link; die on what reconnecting can't mend."""
        link = (*self.connection.connection_errors, *self.connection.channel_errors, OperationalError)
        while not self.should_stop:
            try:
                for _ in self.consume(limit=None, safety_interval=_LOOP, **kwargs):
                    pass
            except FATAL:
                log.exception("the broker refuses this consumer", service=self.container.service_name)
                raise
            except link as error:
                log.warning("no connection to the broker", service=self.container.service_name, error=str(error))
                self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget what the lost connection delivered, since it comes again; wait, or end when asked to."""
        self._unsettled.clear()
        for provider in self._providers:
            provider.forget()
        if self._pending_remove_providers:
            self._let_go()
            self.should_stop = True
            return
        eventlet.sleep(min(_LONGEST_RETRY, 0.1 * 2**self._failures))
        self._failures = min(self._failures + 1, 10)

    def get_consumers(self, _consumer_cls: Any, channel: Any) -> list[Delivery]:
        """Check that the queue is there; its type and arguments are `topology.apply`'s."""
        [provider] = self._providers  # one ack covers a batch, so nothing else is delivered on this channel
        channel.queue_declare(provider.queue, passive=True)
        taking = Delivery(channel, provider.queue, partial(self._take, provider), prefetch=provider.prefetch)
        self._consumers = {provider: taking}
        return [taking]

    def on_consume_ready(self, connection: Any, channel: Any, consumers: Any, **kwargs: Any) -> None:
        """Tell nameko, once, that this consumer is ready."""
        self._failures = 0
        super().on_consume_ready(connection, channel, consumers, **kwargs)

    def _take(self, provider: Any, message: Delivered) -> None:
        self._unsettled.add(_tag(message))
        provider.take(message)

    def settle(self, message: Delivered, *, ack: bool = True, multiple: bool = False) -> None:
        """Ack exactly once, or (`ack` false) leave the message to be delivered again."""
        if _tag(message) not in self._unsettled:
            return
        try:
            if ack:
                with self._writing:
                    delivery.ack(message, multiple=multiple)
        except (*self.connection_errors, *self.channel_errors) as error:
            log.warning("ack lost with its connection; the message comes again", error=str(error))
        finally:
            self._unsettled.discard(_tag(message))

    def on_iteration(self) -> None:
        """Cancel the consumer when asked; leave the loop only after the last ack."""
        if self._pending_remove_providers:
            with _answering():
                for consumer in self._consumers.values():
                    consumer.cancel()
            self._let_go()
        if not self._consumers and not self._unsettled:
            self.should_stop = True

    def _let_go(self) -> None:
        self._consumers = {}
        leaving, self._pending_remove_providers = self._pending_remove_providers, {}
        for left in leaving.values():
            left.send()


@contextmanager
def _answering() -> Iterator[Callable[[], None]]:
    """Raise TimeoutError, an error of the link, unless the block ends or the given function is called in time."""
    deadline = eventlet.Timeout(_ANSWER, TimeoutError(f"the broker did not answer within {_ANSWER} s"))
    try:
        yield deadline.cancel
    finally:
        deadline.cancel()


def _tag(message: Delivered) -> tuple[int, int]:
    return id(message.channel), message.delivery_tag


class Subscriber(Consumer):  # type: ignore[misc]
    """Hands all that has arrived to the method, up to `size` messages, as soon as those before are done.

    One call at a time: the order of arrival is kept, one transaction can serve many messages, and one ack covers
    them all. Calls begin at least `pace` seconds apart unless `size` messages wait, so that a steady trickle shares
    transactions too; a message after a pause is handed over at once.
    """

    queue_consumer = DrainingQueueConsumer()

    def __init__(self, queue: str, *, size: int, pace: float) -> None:
        super().__init__(queue, expected_exceptions=(StorageDownError,))
        self.size, self.prefetch, self.pace = size, 2 * size, pace
        self.stopping = False
        self._next = 0.0  # not before this moment does the next call begin
        self._waiting: list[Delivered] = []
        self._busy = False

    def stop(self) -> None:
        self.stopping = True
        super().stop()

    def pause(self, attempt: int) -> None:
        """Wait before the next attempt; meanwhile nothing is acked, so the broker sends no more than `prefetch`."""
        until = time.monotonic() + min(_LONGEST_PAUSE, 0.5 * 2**attempt)
        while not self.stopping and time.monotonic() < until:
            eventlet.sleep(_LOOP)

    def forget(self) -> None:
        """Drop what a lost connection delivered: it comes again."""
        self._waiting.clear()

    def take(self, message: Delivered) -> None:
        """Keep a message until its turn; a small one is read already, while the one before waits for the database."""
        if len(message.raw.body) <= _READ_AHEAD:
            with suppress(Exception):  # whatever is wrong with it is said again when its turn comes
                decode(message.raw)
        self._waiting.append(message)
        if not self._busy:
            self._busy = True
            self.container.spawn_managed_thread(self._gather)

    def _gather(self) -> None:
        early = self._next - time.monotonic() if 0 < len(self._waiting) < self.size else 0.0
        eventlet.sleep(max(0.0, early))  # 0: what has arrived already is read first
        if self.stopping:  # what nobody has begun is left to another process
            for message in self._waiting:
                self.queue_consumer.settle(message, ack=False)
            self.forget()
        batch, self._waiting = self._waiting[: self.size], self._waiting[self.size :]
        if batch:
            self._next = time.monotonic() + self.pace
            self._begin(batch)
        else:
            self._busy = False

    def _begin(self, batch: list[Delivered], attempt: int = 0) -> None:
        done = partial(self._done, batch, attempt)
        self.container.spawn_worker(self, ([message.raw for message in batch],), {}, handle_result=done)

    def _done(
        self, batch: list[Delivered], attempt: int, _ctx: Any, result: Any, exc_info: ExcInfo | None
    ) -> tuple[Any, ExcInfo | None]:
        if exc_info is None or self.stopping:
            self._settle(batch, ack=exc_info is None)
        else:
            self.container.spawn_managed_thread(partial(self._again, batch, attempt))
        return result, exc_info

    def _again(self, batch: list[Delivered], attempt: int) -> None:
        self.pause(attempt)
        if self.stopping or not batch[-1].channel.connection:
            self._settle(batch, ack=False)
        else:
            self._begin(batch, attempt + 1)

    def _settle(self, batch: list[Delivered], *, ack: bool) -> None:
        # Nothing else is delivered on this channel, so one ack covers the batch.
        self.queue_consumer.settle(batch[-1], ack=ack, multiple=True)
        for message in batch[:-1]:
            self.queue_consumer.settle(message, ack=False)
        self._gather()


class Every(Timer):  # type: ignore[misc]
    """Calls the method every so many seconds, with `args`; a failure is logged and the next time comes."""

    def __init__(self, seconds: float, *args: Any) -> None:
        super().__init__(seconds, expected_exceptions=(StorageDownError,))
        self.args = args

    def stop(self) -> None:
        """End; nameko's own fails when it was asked to before it had begun."""
        if self.gt is None:
            self.should_stop.send(True)  # noqa: FBT003 - eventlet's signature
        else:
            super().stop()

    def handle_timer_tick(self) -> None:
        self.container.spawn_worker(self, self.args, {}, handle_result=self.handle_result)


def subscribe(queue: str, *, size: int = 64, pace: float = 0.0) -> Callable[[Method], Method]:
    """Decorate the method `(self, raws)` that takes a queue's messages, as many as wait but at most `size`."""
    return cast("Callable[[Method], Method]", Subscriber.decorator(queue, size=size, pace=pace))


def every(seconds: float, *args: Any) -> Callable[[Method], Method]:
    """Decorate a method that is called every so many seconds, with `args`."""
    return cast("Callable[[Method], Method]", Every.decorator(seconds, *args))


def timers(acts: tuple[tuple[float, TimedAct], ...]) -> Callable[[Method], Method]:
    """Decorate a method `(self, act)` that is called with each act at its own interval."""

    def decorate(method: Method) -> Method:
        for seconds, act in acts:
            every(seconds, act)(method)
        return method

    return decorate


class _Stop:
    """Remembers that the process was asked to end."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, *_signal: object) -> None:
        self.asked = True


def run_workers(
    workers: Sequence[type[ServiceWorker]],
    *,
    amqp_url: Callable[[str], str],
    engine: Callable[[str], Engine],
    heartbeat: Path | None = None,
    drain: float = 25.0,
    amqp_heartbeat: int = HEARTBEAT,
) -> int:
    """Run services' workers in this process until SIGTERM or SIGINT; returns the exit code.

    `amqp_url` and `engine` are asked once for each service, here, after the standard library is patched.
    `heartbeat` is touched by the hub's loop, so an old file means that a handler blocks all others. When asked
    to end, messages in work are finished and acked, for at most `drain` seconds; what is left is delivered again.
    """
    if not eventlet.patcher.is_monkey_patched("socket"):
        raise RuntimeError("import shared.messaging.green before anything else")
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    event_types()  # so that the first event finds them read
    containers = [_container(worker, amqp_url(worker.name), engine(worker.name), amqp_heartbeat) for worker in workers]
    settle()
    started = eventlet.event.Event()
    life = eventlet.spawn(_live, containers, started)
    while not stop.asked and not life.dead:
        if heartbeat and started.ready():
            heartbeat.touch()
        eventlet.sleep(_LOOP)
    failed = not stop.asked
    with eventlet.Timeout(drain, exception=False):
        SpawningProxy(containers).stop()
        return 1 if failed else 0
    log.error("work was not done in time; what is not acked is delivered again", seconds=drain)
    return 1


def _live(containers: list[Any], started: Any) -> None:
    """Start the services, which lasts as long as the broker is away, and wait until one of them dies."""
    try:
        SpawningProxy(containers).start()
        started.send()
        SpawningProxy(containers, abort_on_error=True).wait()
    except Exception:
        log.exception("a worker died")
        raise


def _container(worker: type[ServiceWorker], amqp_url: str, engine: Engine, heartbeat: int) -> Any:
    config = {"AMQP_URI": amqp_url, "HEARTBEAT": heartbeat, "engine": engine, "max_workers": MAX_WORKERS}
    return ServiceContainer(worker, config)
