"""Networks as regular expressions over the text of an address, for engines that know no addresses."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"\A{OCTET}(?:\.{OCTET}){{3}}\z"


def ipv4_expression(network: IPv4Network) -> str:
    """Dotted addresses of the network, without leading zeros, as the reference reads them."""
    octets = network.network_address.packed
    parts: list[str] = []
    for place, octet in enumerate(octets):
        fixed = min(max(network.prefixlen - 8 * place, 0), 8)
        last = octet + 2 ** (8 - fixed) - 1
        parts.append(OCTET if fixed == 0 else str(octet) if fixed == 8 else _any(range(octet, last + 1)))
    return "\\A" + "\\.".join(parts) + "\\z"


def hex_prefix(network: IPv6Network) -> str:
    """The beginning of the 32 hexadecimal digits (lower case) of the addresses of the network."""
    digits = network.network_address.exploded.replace(":", "")
    whole, left = divmod(network.prefixlen, 4)
    start = "\\A" + digits[:whole]
    if not left:
        return start
    first = int(digits[whole], 16)
    return start + "[" + "".join(f"{first + more:x}" for more in range(2 ** (4 - left))) + "]"


def _any(numbers: range) -> str:
    return "(?:" + "|".join(map(str, numbers)) + ")"
