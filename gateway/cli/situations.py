"""What ``init`` can write: the files of each situation, and where they are.

A wheel has the files of config/ and deploy/ in the package (pyproject.toml); in a clone they stand beside it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Situation:
    """*files* are below config/ and deploy/, with the name that each gets; a directory stands for all files in it."""

    description: str
    files: Mapping[str, str]


_SERVICE = {
    f"deploy/valt-gateway.{suffix}": f"valt-gateway.{suffix}"
    for suffix in ("service", "service.d", "socket", "sysusers", "tmpfiles", "logrotate")
}
_MONITORING = {f"deploy/{name}": name for name in ("prometheus.yml", "alerts.yml", "grafana")}
_FRONTS = {
    f"deploy/{name}": f"fronts/{name}"
    for name in ("nginx.conf", "Caddyfile", "haproxy.cfg", "envoy.yaml", "traefik.yml", "traefik-valt-gateway.yml")
}
_APACHE = {
    f"{folder}/{name}": name
    for folder, name in (
        ("deploy", "apache-shib.conf"),
        ("deploy", "apache-no-identity-headers.conf"),
        ("config", "behind-mellon.toml"),
        ("deploy", "apache-mellon.conf"),
        ("config", "behind-openidc.toml"),
        ("deploy", "apache-openidc.conf"),
    )
}

SITUATIONS: Mapping[str, Situation] = {
    "gateway": Situation(
        "every key, the systemd units, front proxies, Prometheus",
        {
            "config/gateway.toml": "gateway.toml",
            **_SERVICE,
            **_FRONTS,
            **_MONITORING,
        },
    ),
    "portal-tickets": Situation(
        "your portal signs a ticket into each link", {"config/portal-tickets.toml": "gateway.toml"}
    ),
    "signed-tokens": Situation("your SSO issues signed tokens (JWT)", {"config/signed-tokens.toml": "gateway.toml"}),
    "browser-sign-in": Situation(
        "the gateway signs people in (OpenID Connect)", {"config/browser-sign-in.toml": "gateway.toml"}
    ),
    "behind-shibboleth": Situation(
        "Apache with mod_shib is in front; or mod_auth_mellon, or mod_auth_openidc",
        {"config/behind-shibboleth.toml": "gateway.toml", **_APACHE},
    ),
    "behind-oauth2-proxy": Situation("oauth2-proxy is in front", {"config/behind-oauth2-proxy.toml": "gateway.toml"}),
    "kerberos": Situation("people are signed in to a domain", {"config/kerberos.toml": "gateway.toml"}),
    "forward-auth": Situation(
        "nginx, Caddy, Traefik or Envoy asks the gateway about requests to another server",
        {"config/forward-auth.toml": "gateway.toml", "deploy/forward-auth": "."},
    ),
    "kubernetes": Situation(
        "replicas in Kubernetes, with a Helm chart",
        {"config/kubernetes.toml": "gateway.toml", "deploy/helm/valt-gateway": "valt-gateway"},
    ),
    "compose": Situation(
        "Caddy, the gateway, Redis and Prometheus in containers on one machine",
        {
            "config/compose.toml": "gateway.toml",
            "deploy/compose.yaml": "compose.yaml",
            "deploy/compose": "compose",
            "deploy/alerts.yml": "alerts.yml",
            "deploy/grafana": "grafana",
        },
    ),
}


def source(name: str) -> Path:
    """Returns the place of *name*, a path below config/ or deploy/."""
    shipped = _PACKAGE / "shipped"
    return (shipped if shipped.is_dir() else _PACKAGE.parent) / name


def files_of(situation: Situation) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yields the path of each file that is to be written, and the file to copy."""
    for name, target in situation.files.items():
        place = source(name)
        if place.is_dir():
            for file in sorted(path for path in place.rglob("*") if path.is_file()):
                yield PurePosixPath(target, file.relative_to(place).as_posix()), file
        else:
            yield PurePosixPath(target), place
