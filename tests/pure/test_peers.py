"""Who sent a postback: what an allow-list and trusted proxies make of an address and a header."""

from __future__ import annotations

from typing import Any

import pytest

from callfire_async import ConfigurationError, Listener
from callfire_async.listener.peers import Peers

ALLOW = ("203.0.113.0/24", "2001:db8::/32", "198.51.100.7")
PROXIES = ("10.0.0.0/8", "::1")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "admitted"),
    [
        pytest.param("203.0.113.9", "", True, id="within a network"),
        pytest.param("198.51.100.7", "", True, id="the very address"),
        pytest.param("198.51.100.8", "", False, id="next to it"),
        pytest.param("2001:db8::5", "", True, id="of the new kind"),
        pytest.param("2001:db8::5%eth0", "", True, id="with a zone"),
        pytest.param("::ffff:203.0.113.9", "", True, id="the old kind in the new one's clothes"),
        pytest.param(None, "", False, id="unknown"),
        pytest.param("", "", False, id="empty"),
        pytest.param("unix:", "", False, id="no address"),
        pytest.param("192.0.2.1", "203.0.113.9", False, id="a stranger's own words"),
        pytest.param("203.0.113.9", "192.0.2.1", True, id="an allowed sender's own words"),
        pytest.param("10.1.2.3", "203.0.113.9", True, id="by a trusted proxy"),
        pytest.param("::1", " 203.0.113.9 ", True, id="by a trusted proxy, with blanks"),
        pytest.param("10.1.2.3", "192.0.2.1", False, id="a stranger by a trusted proxy"),
        pytest.param("10.1.2.3", "203.0.113.9, 192.0.2.1", False, id="a stranger who writes what stands before"),
        pytest.param("10.1.2.3", "192.0.2.1, 203.0.113.9, 10.9.9.9", True, id="by two trusted proxies"),
        pytest.param("10.1.2.3", "", False, id="a proxy that names nobody"),
        pytest.param("10.1.2.3", "nonsense", False, id="a proxy that names nonsense"),
        pytest.param("10.1.2.3", ",", False, id="a proxy that names nothing"),
        pytest.param("10.1.2.3", "203.0.113.9" + ", 10.9.9.9" * 31, True, id="as many hops as are looked at"),
        pytest.param("10.1.2.3", "203.0.113.9" + ", 10.9.9.9" * 32, False, id="one hop too many"),
        pytest.param("10.1.2.3", "10.9.9.9, " * 100_000, False, id="absurdly many"),
    ],
)
def test_who_is_admitted(peer: str | None, forwarded_for: str, admitted: bool) -> None:  # noqa: FBT001
    assert Peers(ALLOW, PROXIES).admits(peer, forwarded_for) is admitted


@pytest.mark.parametrize("peer", [None, "", "192.0.2.1", "nonsense"])
def test_without_a_list_everyone_is(peer: str | None) -> None:
    assert Peers((), PROXIES).admits(peer, "whoever")


@pytest.mark.parametrize("name", ["allow", "trusted_proxies"])
@pytest.mark.parametrize("networks", ["203.0.113.0/24", ["203.0.113.1/24"], ["example.com"], [""], ["1.2.3.4/99"]])
def test_what_is_no_list_of_networks_is_refused(name: str, networks: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Listener(**{name: networks})


async def test_a_listener_answers_others_as_if_the_address_were_wrong() -> None:
    token = "a-token-that-keeps-strangers-out"  # noqa: S105
    listener = Listener(token=token, serve=False, allow=["203.0.113.0/24"], trusted_proxies=["10.0.0.1"])
    heard: list[bytes] = []

    class Ear:
        async def expects(self, callback: str) -> bool:  # noqa: ARG002
            return False

        async def hear(self, headers: object, body: bytes, callback: str | None = None) -> None:  # noqa: ARG002
            heard.append(body)

    listener.add(Ear())
    assert await listener.receive(token, {}, b"<a/>") == 404  # without an address nobody can be told from anybody
    assert await listener.receive(token, {}, b"<a/>", peer="192.0.2.1") == 404
    assert await listener.receive(token, {}, b"<a/>", peer="203.0.113.5") == 200
    assert await listener.receive(token, {"X-Forwarded-For": "203.0.113.5"}, b"<a/>", peer="10.0.0.1") == 200
    assert (len(heard), listener.refused) == (2, 2)
