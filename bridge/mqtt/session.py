"""The MQTT session: it persists with the broker, and reconnects until it is closed."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.errors import MalformedPacketError
from bridge.mqtt.ways import choose
from isotherm.backoff import Backoff
from isotherm.log import Problem
from isotherm.settings.refusal import refusal
from isotherm.tasks import Tasks, where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import paho.mqtt.client as paho
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.mqtt.backpressure import Backpressure
    from bridge.mqtt.client import Arrivals
    from bridge.mqtt.framing import Frame
    from bridge.mqtt.options import SessionOptions
    from isotherm.log import Log

_KEEPALIVE_S = 30
_FAILURE = 0x80
_UNSPECIFIED = 0x80
_TAKEN_OVER = 0x8E
# Section 3.2.2.2; paho gives the codes 4 and 5 of MQTT 3.1.1 as these, too.
_NOT_FOR_THIS_USER = frozenset({0x86, 0x87})
_NO_USER = "it does not take a bridge without mqtt.username and mqtt.password_file"
_UNKNOWN_USER = "it does not take mqtt.username with the password in mqtt.password_file"
_RETAINED_ONLY_IF_NEW = 1
_SETTLE_S: Final = 10.0
"""How long a resumed session waits for `settle` before it subscribes in any case."""
_AT_A_TIME: Final = 8
"""Filters in one UNSUBSCRIBE; some brokers take no more."""
_LASTING_S: Final = 60.0
"""A connection that lasted so long did not compete for the client id."""


class SessionEvents(Protocol):
    """What the session reports; called in the network thread, so it must return at once."""

    def arrived(self, arrivals: Arrivals) -> None:
        """Frames came. May be called before `subscribed`: a resumed session sends at once."""

    def connected(self, *, resumed: bool) -> None:
        """The broker took the connection.

        Args:
            resumed: whether it still had the session of an earlier connection.
        """

    def subscribed(self, *, resumed: bool) -> None:
        """The session has its subscriptions; may be called several times in one connection."""

    def disconnected(self, why: str, *, refused: bool = False) -> None:
        """The connection ended, or could not be made.

        Args:
            why: for people.
            refused: the broker answers, but refuses us.
        """

    def taken_over(self) -> None:
        """Another client connected with our client id (0x8E); it is tried again later."""

    def left(self) -> None:
        """The broker confirmed that the session has the filters of the options, and no others."""


class Session:
    """A persistent MQTT session that reconnects by itself until it is closed.

    Args:
        options: how to connect.
        events: who hears of it.
        backoff: the delays between attempts.
        log: for refusals that a person must fix.
        backpressure: tells when to read.
        tasks: supervises its thread.
        takeover_pauses: the delays after another client took the client id.
        asks: whether `settle` will be called.
        passed_over: gets what came before `resume`; in the network thread.
    """

    def __init__(
        self,
        options: SessionOptions,
        events: SessionEvents,
        backoff: Backoff,
        log: Log,
        backpressure: Backpressure | None = None,
        *,
        tasks: Tasks | None = None,
        takeover_pauses: Backoff | None = None,
        asks: bool = False,
        passed_over: Callable[[list[Frame]], None] | None = None,
    ) -> None:
        self._options = options
        self._events = events
        self._backoff = backoff
        self._log = log
        self._tasks = tasks or Tasks(log)
        self._takeover_pauses = takeover_pauses or Backoff(first=5.0, longest=60.0)
        self._closing = threading.Event()
        self._client = choose().client(options, events.arrived, backpressure)
        self._client.on_passed_over = passed_over
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe
        self._client.on_disconnect = self._on_disconnect
        self._resumed = False
        self._renewing = False
        self._answered = False
        fault = partial(Problem, log.error, client_id=options.client_id)
        self._malformed = fault("mqtt stream malformed")
        self._not_understood = fault("mqtt packet not understood")
        self._since = 0.0
        self._taken_over = False
        # What follows is the network thread's own.
        self._asked: dict[int, tuple[str, ...]] = {}
        self._leaving: dict[int, tuple[str, ...]] = {}
        self._held: set[str] = set()
        self._stale: set[str] = set()
        self._refused: dict[str, str] = {}
        self._made_anew = False
        self._due: float | None = None
        self._again = Backoff(first=1.0, longest=60.0)
        self._settled = not asks
        self._news: tuple[frozenset[str], frozenset[str]] | None = None
        self.faults: dict[str, str] = {}
        """A sentence for each filter that the broker does not give us as it was asked."""
        self.granted = threading.Event()
        """Set while the broker's session has all filters of the options, at whatever QoS; one that
        is resumed may not have those that are new."""
        self._thread: threading.Thread | None = None

    def start(self, *, paused: bool = False) -> None:
        """Begin to connect, in a thread of the session's own.

        Args:
            paused: take no frames before `resume`; the broker keeps them from the subscription on.
        """
        self._client.paused = paused
        self._thread = self._tasks.start(
            f"mqtt {self._options.client_id}",
            self._run,
            stopping=self._closing.is_set,
            again=Backoff(longest=10.0),
        )

    def settle(self, held: frozenset[str], stale: frozenset[str]) -> None:
        """Say what the session holds, if the broker still has it; from any thread.

        Args:
            held: filters that it is known to be subscribed to as the options ask.
            stale: filters that it may be subscribed to and that the options do not name; they are
                given up.
        """
        self._news = held, stale
        self._client.wake()

    def resume(self) -> None:
        """Take frames; connect anew for those that were passed over, which come again then."""
        if self._client.resume():
            self._renewing = True
            self._client.disconnect()

    @property
    def alive(self) -> bool:
        """Whether its thread runs, connected or not."""
        return self._thread is not None and self._thread.is_alive()

    def acknowledge(self, connection: int, mids: Sequence[int]) -> bool:
        """Send PUBACKs, in the order given, as one write; from any thread.

        Returns:
            False if that connection has ended: nothing was sent, and the broker will deliver those
            messages again. A packet identifier may by now mean another message, so this is never
            patched up.
        """
        return self._client.acknowledge(connection, mids)

    def answers(self, timeout: float) -> bool:
        """Ask the broker; whether its answer came, behind what it had sent before and we took.

        Args:
            timeout: seconds to wait for it.
        """
        # In a pause, what came before may have been passed over.
        return self._client.wait_for_answer(timeout) and not self._client.paused

    def pause(self) -> None:
        """Take no more frames: the broker keeps what it sends from here on."""
        self._client.paused = True

    def close(self, timeout: float) -> None:
        """Have the broker take what is queued (PUBACKs), disconnect and end the thread.

        The session stays with the broker.

        Args:
            timeout: seconds to wait for the broker's answer, and again for the thread.
        """
        self._closing.set()
        self._client.wait_for_answer(timeout)
        self._client.disconnect()
        if self._thread is not None:
            self._thread.join(timeout)
        self._client.release()

    def _run(self) -> None:
        client = self._client
        address = self._options.address
        client.connect_async(
            address.host,
            address.port,
            keepalive=_KEEPALIVE_S,
            clean_start=False,
            properties=_connect_properties(self._options),
        )
        while not self._closing.is_set():
            self._answered = self._taken_over = False
            try:
                client.reconnect()
                while client.loop(timeout=1.0) is MQTTErrorCode.MQTT_ERR_SUCCESS:
                    if self._news is not None or self._due is not None:
                        self._attend()
            except MalformedPacketError as error:
                client.drop()
                self._report_fault(self._malformed, str(error))
            except (OSError, ValueError) as error:
                client.drop()
                self._report_lost(str(error) or type(error).__name__)
            except Exception as error:  # noqa: BLE001 a packet that paho does not understand
                client.drop()
                self._report_fault(self._not_understood, where(error))
            self._asked.clear()
            self._leaving.clear()
            self._due = None
            if not self._closing.is_set():
                pauses = self._takeover_pauses if self._taken_over else self._backoff
                self._closing.wait(pauses.next())

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._answered = True
        if reason.is_failure:
            words = "it answers"
            if reason.value in _NOT_FOR_THIS_USER:
                words = _NO_USER if self._options.username is None else _UNKNOWN_USER
            self._events.disconnected(f"{words}: {reason}", refused=True)
            return
        self._since = time.monotonic()
        # Where the connection had ended by itself before `resume`, this is already the new one.
        self._renewing = False
        self._resumed = flags.session_present
        self._refused.clear()
        self._events.connected(resumed=self._resumed)
        if not self._resumed:
            # A session that is new holds nothing, whatever an earlier one held.
            self._held.clear()
            self._stale.clear()
            self._made_anew = self._settled = True
            self.granted.clear()
        if self._settled:
            self._subscribe()
            return
        # A resumed session queues under the filters that it has. What it holds is known in a
        # moment: then new filters come and old ones go in one step.
        self._due = self._since + _SETTLE_S
        self._events.subscribed(resumed=True)

    def _attend(self) -> None:
        """Do what `settle` brought, or what was put off."""
        news, self._news = self._news, None
        if news is not None and not self._made_anew:
            held, stale = news
            self._held |= held
            self._stale |= stale
        elif self._due is None or time.monotonic() < self._due:
            return
        self._settled = True
        self._due = None
        self._subscribe()

    def _subscribe(self) -> None:
        """Ask for what is not held, and give up what is not wanted."""
        if not self._client.is_connected():
            return
        wanted = self._options.filters
        if not self._options.modern:
            # A second SUBSCRIBE would bring every retained reading again (MQTT-3.8.4-3).
            wanted = tuple(name for name in wanted if name not in self._held)
        if self._refused:
            wanted = tuple(name for name in wanted if name in self._refused)
        if wanted:
            _result, mid = self._client.subscribe(_subscriptions(self._options, wanted))
            if mid is not None:
                self._asked[mid] = wanted
        elif not self._asked:
            self._backoff.reset()
            self.granted.set()
            self._events.subscribed(resumed=self._resumed)
        stale = sorted(self._stale)
        for start in range(0, len(stale), _AT_A_TIME):
            some = tuple(stale[start : start + _AT_A_TIME])
            _result, mid = self._client.unsubscribe(list(some))
            if mid is not None:
                self._leaving[mid] = some
        self._report_settled()

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        asked = self._asked.pop(mid, None)
        if asked is None:
            # An answer to no question of ours grants nothing.
            return
        granted = [reason.value for reason in reasons[: len(asked)]]
        # A filter without an answer of its own was not granted.
        granted += [_UNSPECIFIED] * (len(asked) - len(granted))
        faults = dict(self.faults)
        for name, value, reason in zip(asked, granted, [*reasons, *[None] * len(asked)]):  # noqa: B905 filled up
            faults.pop(name, None)
            self._refused.pop(name, None)
            if value >= _FAILURE:
                self._refused[name] = f"{name}: {reason or 'no answer'}"
                faults[name] = f"the MQTT broker refuses the subscription to {name} ({reason})"
            elif value < 1:
                faults[name] = (
                    f"the MQTT broker grants only QoS 0 for {name}: what comes while the bridge is "
                    "away is lost; have it allow QoS 1 (with mosquitto, max_qos)"
                )
            else:
                self._held.add(name)
        for name in asked:
            if name in faults and name not in self._refused and name not in self.faults:
                self._log.error(
                    "mqtt subscription is not as asked",
                    client_id=self._options.client_id,
                    why=faults[name],
                )
        self.faults = faults
        if self._refused:
            self._due = time.monotonic() + self._again.next()
            self._events.disconnected(
                f"it refuses a subscription: {'; '.join(self._refused.values())}", refused=True
            )
            return
        if self._asked:
            return
        self._again.reset()
        self._backoff.reset()
        self.granted.set()
        self._events.subscribed(resumed=self._resumed)
        self._report_settled()

    def _on_unsubscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        some = self._leaving.pop(mid, ())
        if any(reason.value >= _FAILURE for reason in reasons):
            self._log.error(
                "mqtt keeps a filter that was given up",
                client_id=self._options.client_id,
                filters=",".join(some),
                why="; ".join(map(str, reasons)),
            )
            return
        self._stale.difference_update(some)
        self._report_settled()

    def _report_settled(self) -> None:
        """Say so if the broker has confirmed all filters that are ours, and the end of others."""
        if not self._stale and self._held.issuperset(self._options.filters):
            self._events.left()

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._client.stop_waiting()
        if reason.value == _TAKEN_OVER and flags.is_disconnect_packet_from_server:
            self._taken_over = True
            if time.monotonic() - self._since > _LASTING_S:
                self._takeover_pauses.reset()
            self._events.disconnected(
                f"another client connected with the client id {self._options.client_id!r}, which "
                "is for one bridge alone; it is tried again in a while",
                refused=True,
            )
            self._events.taken_over()
        elif self._renewing:
            self._renewing = False
        elif not self._closing.is_set():
            words = str(self._client.read_error or reason)
            if reason.value == _UNSPECIFIED and not flags.is_disconnect_packet_from_server:
                # paho forgets what it met when it wrote.
                words = str(self._client.read_error or "the connection broke")
            self._report_lost(words if self._answered else words + self._guess())

    def _report_fault(self, fault: Problem, why: str) -> None:
        """The broker sends what cannot be handled; a new connection may help."""
        fault.begin(why, why=why)
        self._events.disconnected(why)

    def _report_lost(self, words: str) -> None:
        refused = refusal("mqtt", words)
        self._events.disconnected(refused or words, refused=refused is not None)

    def _guess(self) -> str:
        """What it may mean that the broker closed the connection before it answered."""
        tls = self._options.tls is not None
        hint = "does it ask for a client certificate" if tls else "is it a TLS port (mqtts://)"
        return f" (it closed the connection before it answered; {hint}?)"


def _connect_properties(options: SessionOptions) -> Properties | None:
    if not options.modern:
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own gap
    properties.SessionExpiryInterval = options.session_expiry
    properties.ReceiveMaximum = options.receive_maximum
    properties.MaximumPacketSize = options.max_packet_size
    return properties


def _subscriptions(options: SessionOptions, filters: tuple[str, ...]) -> list[tuple[str, Any]]:
    if not options.modern:
        return [(name, 1) for name in filters]
    # A retained reading comes once, when the subscription is new, and not at every reconnect.
    choice = SubscribeOptions(qos=1, retainHandling=_RETAINED_ONLY_IF_NEW)
    return [(name, choice) for name in filters]
