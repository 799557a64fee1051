"""Addresses that a server listens on."""

import socket

from janus_core.errors import ConfigError


class AddressError(ConfigError):
    """The server cannot listen on the address that an option names."""


def bound(option: str, host: str, port: int) -> socket.socket:
    """A socket bound to an address.

    Args:
        option: the command line option that names the port, for the error.
        host: a name or an address.
        port: 0 picks a free one.

    Raises:
        AddressError: the port is in use, or the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise AddressError(f"--host {host}: {error.strerror or error}") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        listener.close()
        raise in_use(option, host, port, error) from None
    return listener


def in_use(option: str, host: str, port: int, error: object) -> AddressError:
    """The error for an address that another process uses."""
    reason = getattr(error, "strerror", None) or error
    return AddressError(
        f"{option}: cannot listen on {bracketed(host)}:{port}: {reason}; choose another port, or 0 for a free one"
    )


def bracketed(host: str) -> str:
    """A host as it is written before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
