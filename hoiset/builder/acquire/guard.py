"""Keeps requests on the public internet: addresses come from untrusted tables, and so do redirects."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import urllib3.connection
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from hoiset.builder.acquire.failures import failure

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where IPv6 wraps an IPv4 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class GuardedAdapter(BaseAdapter):
    """A transport that asks public hosts only.

    Every request is checked, each hop of a redirect too, and again the peer of every connection before a byte is sent
    on it, since a name may resolve to something else the second time.

    Args:
        inner: The transport that does the work.
        private_hosts: Names or addresses that may be asked all the same.
    """

    def __init__(self, inner: HTTPAdapter, private_hosts: tuple[str, ...]) -> None:
        super().__init__()
        self._inner = inner
        self._private_hosts = frozenset(private_hosts)
        inner.poolmanager.pool_classes_by_scheme = _guarded_pools(self._private_hosts)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request; raises AcquireError ``bad_address`` where its host is not public."""
        host = urlsplit(request.url or "").hostname or ""
        if host.lower() not in self._private_hosts:
            for address in _resolve(host):
                _check(host, address)
        return self._inner.send(request, *args, **kwargs)

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()


def _resolve(host: str) -> list[str]:
    """Addresses of a name; none where it has none, which the connection then says itself."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _check(host: str, address: str) -> None:
    if not is_public(address):
        raise failure(
            "bad_address",
            f"{host} is {address}, which is no public address; name it in HOISET_PRIVATE_HOSTS if it may be asked",
        )


def _guarded_pools(private_hosts: frozenset[str]) -> dict[str, type[HTTPConnectionPool]]:
    def check_peer(host: str, sock: socket.socket) -> socket.socket:
        if host.lower() not in private_hosts:
            try:
                _check(host, sock.getpeername()[0])
            except BaseException:
                sock.close()
                raise
        return sock

    class Plain(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return check_peer(self.host, super()._new_conn())

    class Secure(urllib3.connection.HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return check_peer(self.host, super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
