"""Apache with a file of deploy/ in front of a gateway."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.fronts import HOST, write_config

MODULES = Path("/usr/lib/apache2/modules")
_ALWAYS = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "headers",
    "proxy",
    "proxy_http",
    "socache_shmcb",
    "ssl",
)


@contextmanager
def readable_folder() -> Iterator[Path]:
    """Yields a folder that Apache's children, another user, can read; only their owner can read pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def apache(
    folder: Path,
    port: int,
    backend: str,
    *,
    source: str,
    modules: tuple[str, ...],
    replacements: dict[str, str],
    secret: str,
    secret_header: str = "X-Gateway-Secret",
    directives: str = "",
) -> list[str]:
    """Writes the file *source* of deploy/ with the *replacements*, and returns the command that runs Apache with it.
    *directives* are lines outside the virtual host.

    Raises AssertionError if one of the *modules* is not installed.
    """
    missing = [name for name in modules if not (MODULES / f"mod_{name}.so").exists()]
    assert not missing, f"Apache lacks {missing}: run tests/programs.sh"
    (folder / "secret").write_text(secret)
    usual = {
        "<VirtualHost *:443>": f"<VirtualHost 127.0.0.1:{port}>",
        "/etc/apache2/tls/": f"{folder}/",
        "/etc/apache2/apache-": f"{folder}/apache-",
        "/var/log/apache2/": f"{folder}/",
        "/run/secrets/front": f"{folder}/secret",
        "X-Gateway-Secret": secret_header,
        "http://10.0.0.6:8080": backend.rstrip("/"),
    }
    headers = {"X-Gateway-Secret": secret_header}
    write_config(folder, "apache-no-identity-headers.conf", "apache-no-identity-headers.conf", headers)
    config = write_config(folder, source, "valt-gateway.conf", usual | replacements)
    loaded = "".join(f"LoadModule {_symbol(name)} {MODULES}/mod_{name}.so\n" for name in (*_ALWAYS, *modules))
    (folder / "apache.conf").write_text(
        f"{loaded}ServerRoot {folder}\nServerName {HOST}\nPidFile {folder}/pid\nDefaultRuntimeDir {folder}\n"
        f"User www-data\nGroup www-data\nMutex fcntl\nListen 127.0.0.1:{port} https\nErrorLog {folder}/main.log\n"
        f"LogLevel crit\n{directives}\nInclude {config}\n"
    )
    return ["apache2", "-D", "FOREGROUND", "-f", str(folder / "apache.conf")]


def _symbol(module: str) -> str:
    """Returns the name by which LoadModule knows a module."""
    return "mod_shib" if module == "shib" else f"{module}_module"
