"""Who sent a postback: the networks it may come from, and the proxies whose word about that counts."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

from callfire_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address

Networks: TypeAlias = "tuple[IPv4Network | IPv6Network, ...]"

MOST_HOPS: Final = 32
"""Addresses of an X-Forwarded-For that are looked at, from its end."""


class Peers:
    """Tells senders by their addresses. An empty `allow` admits everyone; a name of what is wrong with a network stands in the ConfigurationError."""

    def __init__(self, allow: Sequence[str], trusted_proxies: Sequence[str]) -> None:
        self._allow = _networks("allow", allow)
        self._proxies = _networks("trusted_proxies", trusted_proxies)

    def admits(self, peer: str | None, forwarded_for: str) -> bool:
        """Whether a request may be looked at that comes from `peer`, with this X-Forwarded-For header, which only named proxies may set."""
        if not self._allow:
            return True
        sender = self._sender(peer, forwarded_for)
        return sender is not None and _within(sender, self._allow)

    def _sender(self, peer: str | None, forwarded_for: str) -> IPv4Address | IPv6Address | None:
        """The last address that no trusted proxy stands behind. What stands further left anyone may have written."""
        address = _address(peer or "")
        for hop in reversed(forwarded_for.split(",")[-MOST_HOPS:] if forwarded_for else []):
            if address is None or not _within(address, self._proxies):
                break
            address = _address(hop)
        return address


def _networks(name: str, networks: Sequence[str]) -> Networks:
    if isinstance(networks, str):
        raise ConfigurationError(f"{name}={networks!r} must be a list of networks, such as [{networks!r}].")
    try:
        return tuple(ip_network(network) for network in networks)
    except ValueError as exc:
        raise ConfigurationError(
            f"{name}= must list addresses or networks such as '203.0.113.0/24', and {exc}."
        ) from exc


def _within(address: IPv4Address | IPv6Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    # A server on "::" sees IPv4 senders in IPv6's clothes.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
