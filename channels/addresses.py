"""Which network addresses we may be sent to by a configured URL: the guard against server-side request forgery (SSRF).
Pure; may not resolve names.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Network = IPv4Network | IPv6Network

# The IANA special-purpose registries as far as `ipaddress` of our oldest Python does not know them.
_NOT_PUBLIC_4: Final = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_UNICAST_6: Final = IPv6Network("2000::/3")  # all that IANA ever gave out as global unicast (RFC 4291, 2.4)
_NOT_PUBLIC_6: Final = (
    IPv6Network("2001::/23"),  # IETF protocol assignments: Teredo, benchmarking, ORCHID
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4 reaches an IPv4 address of the sender's choice
    IPv6Network("3fff::/20"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address really reached


def permitted(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Whether we may connect to `address` (an IP literal, also with a scope id).

    Public addresses are; loopback, private, link-local, shared (CGNAT), multicast, reserved and documentation
    ones, also written as IPv4-mapped or NAT64 IPv6, only inside a network of `allowed`. What is no IP is not.
    """
    try:
        target = _unwrapped(ip_address(address))
    except ValueError:
        return False
    return _public(target) or any(target in network for network in allowed)


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        special = address.is_multicast or any(address in network for network in _NOT_PUBLIC_4)
        return address.is_global and not special
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def is_literal(host: str) -> bool:
    """Whether `host` is an IP address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
