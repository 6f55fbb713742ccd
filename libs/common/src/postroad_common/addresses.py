"""Which addresses anyone can reach: what a tenant names may lead nowhere else (SSRF)."""

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_SPECIAL: Final = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20", "5f00::/16"))
)
"""Of the IANA special-purpose registries, what ipaddress calls global in one release of Python or another."""


def is_public(address: str) -> bool:
    """Whether anyone can reach an address: not private, loopback, link-local, shared, multicast, or mapped to one.

    IPv6 addresses that carry an IPv4 one (mapped, 6to4, Teredo, NAT64) are judged by it. Raises ValueError for a text
    that is no address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.is_reserved:  # IPv4-compatible addresses and local NAT64 (RFC 8215) among them
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _SPECIAL)
