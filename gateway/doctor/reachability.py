"""What an operator can do about a server that cannot be reached, by the reason that `describe_failure` gives. Pure."""

_NAME = "correct the host name, or the resolver of this machine (/etc/resolv.conf)"
_REFUSED = "start the server, or correct the port; a firewall may refuse the connection too"
_REMEDIES = (
    ("certificate has expired", "renew the server's certificate"),
    ("certificate is not yet valid", "compare the clocks, or correct the server's certificate"),
    ("mismatch", "use the name that the server's certificate has, or have the server present another certificate"),
    ("certificate verify failed", "have the server send its whole chain, or name the CA's file: {ca}"),
    ("TLS", "the port does not speak TLS as expected: compare scheme and port with the server's configuration"),
    ("Connection refused", _REFUSED),
    ("Errno 111", _REFUSED),
    ("in time", "open the port in the firewalls between this machine and the server, or look at the server's load"),
    ("unreachable", "correct the address, or the routes of this machine"),
    ("No route", "correct the address, or the routes of this machine"),
    ("Name or service not known", _NAME),
    ("name resolution", _NAME),
    ("associated with hostname", _NAME),
    ("closed the connection", "look at the server's log: it, or a firewall before it, ended the connection"),
    ("HTTP 5", "look at the server's log: a proxy before it is up, and the service behind that is not"),
)
"""A part of a reason, and the remedy; the first that fits is used."""


def remedy_for(reason: str, *, ca: str, otherwise: str = "look at the server's log") -> str:
    """Returns the remedy for *reason*. *ca* says where a private CA is configured."""
    return next((remedy for part, remedy in _REMEDIES if part in reason), otherwise).format(ca=ca)
