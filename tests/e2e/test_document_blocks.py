"""Blocks of the README and of the runbooks, run against a gateway."""

import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme

from tests.support import documents
from tests.support.free_ports import free_port
from tests.support.front import nginx
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack
from tests.support.kerberos import running_realm
from tests.support.programs import run

pytestmark = pytest.mark.promise("operation-guides")

OTHER = """
server {
    listen 127.0.0.1:OTHER;
    location / { return 200 "$http_x_auth_request_user/$http_x_auth_request_groups"; }
}
"""


async def test_nginx_of_the_readme_asks_the_gateway(tmp_path: Path) -> None:
    (block,) = (block.text for block in documents.blocks("README.md") if block.language == "nginx")
    other = "# ... the other server"
    assert other in block
    async with AsyncExitStack() as programs:
        port = str(programs.enter_context(free_port()))
        stack = await programs.enter_async_context(running_stack(tmp_path, server='trusted_proxies = ["127.0.0.1/32"]'))
        block = block.replace(other, f"proxy_pass http://127.0.0.1:{port};")
        block = block.replace("http://127.0.0.1:8080", stack.url)
        http = f"server {{ listen 127.0.0.1:PORT;\n{block}\n}}" + OTHER.replace("OTHER", port)
        front = await programs.enter_async_context(nginx(tmp_path, http))
        for headers, path, status, text in (
            (stack.bearer("anna", "supervisors"), VIDEO_PATH, 200, "anna/supervisors"),
            (stack.bearer("anna", "nobody"), "/other", 200, "anna/nobody"),
            (stack.bearer("anna", "nobody"), VIDEO_PATH, 403, None),
            ({"X-Auth-Request-User": "anna", "X-Forwarded-User": "anna"}, "/other", 401, None),
        ):
            async with stack.client.get(front + path, headers=headers) as response:
                assert response.status == status
                assert text in (None, await response.text())


async def test_the_first_commands_of_the_runbooks_are_run(stack: GatewayStack) -> None:
    """journalctl needs systemd's journal, which tests do not have."""
    block = documents.blocks("docs/runbooks.md")[0].text.splitlines()
    curl, journal, check = (line.split() for line in block)
    answer = await run(*(word.replace("ADMIN", stack.admin) for word in curl))
    assert {"valt", "audit", "state"} <= json.loads(answer.out).keys()
    assert journal[0] == "journalctl"
    assert (await run("curl", "-s", f"{stack.admin}/healthz")).out
    words = [str(stack.config) if word.endswith("gateway.toml") else word for word in check]
    checked = await run(sys.executable, "-m", "gateway", *words[1:])
    assert checked.code == 0, checked.err


async def test_the_logged_head_of_the_audit_is_in_its_file(stack: GatewayStack) -> None:
    file = str(stack.folder / "audit.jsonl")
    verified = await run(sys.executable, "-m", "gateway", "audit", "verify", file)
    head = verified.out.decode().split()
    assert (verified.code, head[0]) == (0, "head")
    assert (await run("zgrep", "-c", head[3], file)).out == b"1\n"


async def test_the_end_of_a_certificate_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    printed = await run(*["openssl", "x509", "-enddate", "-noout", "-in"], str(file))
    assert printed.out.startswith(b"notAfter=")


async def test_the_commands_of_the_kerberos_page_create_the_keytab(tmp_path: Path) -> None:
    """kadmin speaks to kadmind, which is not run here; kadmin.local takes the same queries."""
    queries = [code for code in documents.inline_code("docs/kerberos.md") if code.startswith("kadmin ")]
    async with running_realm(tmp_path / "realm") as realm:
        for query in queries:
            text = query.split("'")[1].replace("http.keytab", str(tmp_path / "http.keytab"))
            await realm.administer(text)
        listing = await run("klist", "-ekt", str(tmp_path / "http.keytab"))
        assert b"HTTP/recordings.example.edu@" in listing.out
