from __future__ import annotations

import socket

import pytest
import requests
from requests.adapters import HTTPAdapter

from hoiset.builder.acquire.guard import GuardedAdapter, is_public
from hoiset.errors import AcquireError
from tests.builder.acquire.server import Web, status


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
    ],
)
def test_public_addresses(address: str, public: bool):
    assert is_public(address) is public


def session(*private_hosts: str) -> requests.Session:
    session = requests.Session()
    session.mount("http://", GuardedAdapter(HTTPAdapter(), private_hosts))
    return session


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_asked_however_it_is_spelt(web: Web, host: str):
    web.on("/", status(200))
    with pytest.raises(AcquireError, match="no public address"):
        session("example.org").get(f"http://{host}:{web.port}/", timeout=5)
    assert web.requests == []


def test_a_name_that_resolves_to_something_else_the_second_time_gets_no_byte(web: Web, monkeypatch: pytest.MonkeyPatch):
    web.on("/", status(200))
    answers = iter(["93.184.216.34", "127.0.0.1"])
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda _host, port, *_, **__: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port or 0)),
        ],
    )
    with pytest.raises(AcquireError, match=r"rebound\.example is 127.0.0.1"):
        session().get(f"http://rebound.example:{web.port}/", timeout=5)
    assert web.requests == []


def test_a_host_that_was_named_may_be_asked(web: Web):
    web.on("/", status(204))
    assert session("127.0.0.1").get(f"http://127.0.0.1:{web.port}/", timeout=5).status_code == 204
