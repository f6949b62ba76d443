"""TLS to the viewer: nginx and HAProxy with a certificate, and a client that encrypts what the load generator sends.

The load generator speaks no TLS. HAProxy encrypts for it, in a process whose time is not counted.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from tests.bench.environment import GatewayStack, nginx
from tests.bench.subject import Subject, free_port, listening, process
from tests.support.programs import program

KINDS = ("tls-http", "tls-https")
"""TLS to the viewer, and http or https to the media server."""

_DEFAULTS = """
global
    nbthread 1
    maxconn 8000
    maxpipes 512
defaults
    mode {mode}
    timeout client 600s
    timeout server 600s
    timeout connect 5s
    maxconn 8000
"""


@asynccontextmanager
async def tls_subjects(stack: GatewayStack) -> AsyncIterator[dict[str, list[Subject]]]:
    """Runs all servers. Yields them by kind, the gateway first; their ports are those of the client that encrypts."""
    async with AsyncExitStack() as exits:
        subjects: dict[str, list[Subject]] = {kind: [] for kind in KINDS}
        for kind in KINDS:
            gateway = stack.gateway(kind, "proxy", encrypted=kind == "tls-https", tls=True)
            subjects[kind].append(await exits.enter_async_context(gateway))
        for peer in (_nginx(stack), _haproxy(stack)):
            for kind, subject in (await exits.enter_async_context(peer)).items():
                subjects[kind].append(subject)
        yield await exits.enter_async_context(_clients(stack, subjects))


@asynccontextmanager
async def _nginx(stack: GatewayStack) -> AsyncIterator[dict[str, Subject]]:
    ports = {kind: free_port() for kind in KINDS}
    server = (
        "server {{ listen 127.0.0.1:{port} ssl backlog=4096; location / {{ proxy_pass {upstream}; }} "
        "ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem; ssl_protocols TLSv1.3; }}"
    )
    servers = "\n".join(
        server.format(port=ports[kind], upstream=upstream, folder=stack.folder)
        for kind, upstream in (("tls-http", "http://plain"), ("tls-https", "https://encrypted"))
    )
    http = f"""
    upstream plain {{ server 127.0.0.1:{stack.port}; keepalive 256; keepalive_requests 1000000000; }}
    upstream encrypted {{ server 127.0.0.1:{stack.tls_port}; keepalive 256; keepalive_requests 1000000000; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_max_temp_file_size 0; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 256k;
    proxy_ssl_trusted_certificate {stack.folder}/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost;
    proxy_ssl_protocols TLSv1.3;
    {servers}"""
    async with nginx(stack.folder, "tls-peer", http, ports["tls-http"]) as pid:
        yield {kind: Subject("nginx", port, pid) for kind, port in ports.items()}


@asynccontextmanager
async def _haproxy(stack: GatewayStack) -> AsyncIterator[dict[str, Subject]]:
    ports = {kind: free_port() for kind in KINDS}
    trusted = f"ssl verify required ca-file {stack.folder}/ca.pem sni str(localhost) verifyhost localhost"
    listeners = (
        ("tls-http", f"127.0.0.1:{stack.port}"),
        ("tls-https", f"127.0.0.1:{stack.tls_port} {trusted}"),
    )
    config = _DEFAULTS.format(mode="http") + "    http-reuse always\n    option splice-response\n"
    for kind, upstream in listeners:
        config += f"listen {kind}\n    bind 127.0.0.1:{ports[kind]} ssl crt {stack.folder}/server.pem\n"
        config += f"    server origin {upstream}\n"
    async with _running(stack, "tls-peer", config, list(ports.values())) as pid:
        yield {kind: Subject("haproxy", port, pid) for kind, port in ports.items()}


@asynccontextmanager
async def _clients(
    stack: GatewayStack, subjects: Mapping[str, Sequence[Subject]]
) -> AsyncIterator[dict[str, list[Subject]]]:
    config, ports = _DEFAULTS.format(mode="tcp"), []
    encrypted: dict[str, list[Subject]] = {}
    for kind, servers in subjects.items():
        for subject in servers:
            ports.append(free_port())
            encrypted.setdefault(kind, []).append(replace(subject, port=ports[-1]))
            config += f"listen client-{len(ports)}\n    bind 127.0.0.1:{ports[-1]}\n"
            config += f"    server subject 127.0.0.1:{subject.port} ssl verify none\n"
    async with _running(stack, "tls-client", config, ports):
        yield encrypted


@asynccontextmanager
async def _running(stack: GatewayStack, name: str, config: str, ports: Sequence[int]) -> AsyncIterator[int]:
    path = stack.folder / f"{name}.cfg"
    path.write_text(config)
    async with process(program("haproxy"), "-db", "-f", str(path), log=stack.folder / f"{name}.out") as pid:
        for port in ports:
            await listening(port)
        yield pid
