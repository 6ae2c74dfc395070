"""Sending to addresses that strangers name: only to public ones, pinned, without redirects, within a time limit.

The name is resolved once an attempt, every address that it stands for is judged, and the connection goes to the very
address that was judged: a name that means something else a moment later reaches nothing inside this house.
"""

from __future__ import annotations

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from urllib.parse import urlsplit

from services.notifications.domain.webhook import Reply
from shared.settings import Settings, SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

TIMEOUT = 15.0  # seconds for the whole conversation
NAMING = 5.0  # seconds of them that finding out what a name stands for may take
KEPT = 500  # bytes of an answer that are shown
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Addresses that carry another one, or that the library of some Python calls public though they are not.
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(one)
    for one in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "198.18.0.0/15",
        "2002::/16",
        "2001::/32",
        "64:ff9b:1::/48",
        "fec0::/10",
    )
)


class RefusedAddressError(Exception):
    """The address must not be called; the message says which and why, for the one who entered it."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses that a name stands for, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def within(seconds: float, find: Resolve, host: str, port: int) -> Sequence[str]:
    """Return what a name stands for; raises TimeoutError when nobody said so in time, or what the search raised.

    The system's resolver knows no limit of ours and can't be interrupted: a thread asks, and is left behind when it
    takes too long. It ends by itself when the resolver gives up.
    """
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(find(host, port))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the one who waits
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="webhook-name").start()
    try:
        answer = answers.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise TimeoutError(f"nobody said within {seconds:g} seconds what {host} stands for") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def is_public(address: Address) -> bool:
    """Return whether an address lies in the open internet: what an IPv6 address only wraps is judged itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


@cache
def trusted() -> ssl.SSLContext:
    """Return how certificates are checked: by the system's authorities, read once, because that takes long."""
    return ssl.create_default_context()


@dataclass(frozen=True)
class Egress:
    """What may be called. `networks` are inside addresses that the operator lets us call, `plain_http` is for tests."""

    networks: tuple[Network, ...] = ()
    plain_http: bool = False
    timeout: float = TIMEOUT
    naming: float = NAMING
    resolver: Resolve = resolve
    trust: Callable[[], ssl.SSLContext] = trusted

    @classmethod
    def of(cls, settings: Settings) -> Egress:
        """Return what this installation allows; raises SettingsError for a network that is none."""
        words = settings.webhook_networks.replace(",", " ").split()
        try:
            networks = tuple(ipaddress.ip_network(word) for word in words)
        except ValueError as error:
            raise SettingsError(f"TAMGA_WEBHOOK_NETWORKS: {error}: write networks such as 10.20.0.0/16") from error
        return cls(networks, settings.webhook_plain_http)

    def address_of(self, host: str, port: int) -> str:
        """Return the address to connect to; raises RefusedAddressError when any that the name stands for is inside."""
        try:
            names = within(min(self.naming, self.timeout), self.resolver, host, port)
            found = [ipaddress.ip_address(one) for one in names]
        except TimeoutError as error:
            raise RefusedAddressError(f"The name {host} could not be resolved in time") from error
        except (OSError, ValueError, UnicodeError) as error:
            raise RefusedAddressError(f"The name {host} can't be resolved") from error
        if not found:
            raise RefusedAddressError(f"The name {host} can't be resolved")
        for address in found:
            if not is_public(address) and not self._allowed(address):
                raise RefusedAddressError(f"{host} stands for {address}, which is no public address: we do not call it")
        return str(found[0])

    def _allowed(self, address: Address) -> bool:
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped.version == network.version and mapped in network for network in self.networks)

    def post(self, url: str, headers: dict[str, str], body: bytes) -> Reply:
        """Send once and return what came of it; never raises for what a stranger's server does."""
        begun = time.monotonic()
        try:
            reply = self._post(url, headers, body)
        except RefusedAddressError as error:
            reply = Reply(text=str(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reply = Reply(text=_words(error))
        spent = time.monotonic() - begun
        if spent >= self.timeout:  # cut off, whatever of an answer had come by then
            reply = Reply(text=f"No whole answer within {self.timeout:g} seconds")
        return reply.model_copy(update={"milliseconds": int(spent * 1000)})

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> Reply:
        parts = urlsplit(url)
        secure, host = parts.scheme == "https", parts.hostname or ""
        if not secure and not self.plain_http:
            raise RefusedAddressError("Only https:// is called")
        port = parts.port or (443 if secure else 80)
        begun = time.monotonic()
        address = self.address_of(host, port)
        left = max(0.1, self.timeout - (time.monotonic() - begun))  # the name's share counts
        connection = _Pinned(host, port, address, self.trust() if secure else None, left)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", path, body, headers | {"connection": "close"})
            answer = connection.getresponse()
            text = answer.read(KEPT).decode(errors="replace").replace("\x00", "")
            wait = retry_after(answer.getheader("retry-after"), datetime.now(UTC))
            return Reply(code=answer.status, text=text, retry_after=wait)
        finally:
            connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to one address under another name: certificate, SNI and Host are the name's."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self.default_port = 443 if context else 80
        self._address, self._secure = address, context
        self._alarm: threading.Timer | None = None

    def connect(self) -> None:
        begun = time.monotonic()
        raw = socket.create_connection((self._address, self.port), self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server that drips a byte now and then keeps each wait short: the whole has an end by the clock.
        self._end_at(raw.dup(), float(self.timeout or TIMEOUT) - (time.monotonic() - begun))
        self.sock = raw
        if self._secure is not None:
            self.sock = self._secure.wrap_socket(raw, server_hostname=self.host)

    def _end_at(self, same: socket.socket, seconds: float) -> None:
        def cut() -> None:
            with suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)

        self._same = same
        self._alarm = threading.Timer(max(0.0, seconds), cut)
        self._alarm.daemon = True
        self._alarm.start()

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._same.close()
            self._alarm = None
        super().close()


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Return how long a server asks us to wait: seconds or a date (RFC 9110, 10.2.3); None for what is neither."""
    if not header:
        return None
    word = header.strip()
    if word.isascii() and word.isdecimal():
        return timedelta(seconds=min(int(word[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(word)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(timedelta(0), moment - now)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:KEPT].replace("\x00", "")
