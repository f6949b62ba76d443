"""What a reload does not take: addresses, files that are open, and how the log is written."""

from gateway.settings.model import Settings


def needing_restart(running: Settings, wanted: Settings) -> list[str]:
    """The keys of what a reload does not take, where *wanted* differs from what is *running*."""

    def fixed(settings: Settings) -> dict[str, object]:
        return {
            "server.listen": settings.server.listen,
            "server.workers": settings.server.workers,
            "server.tls_cert_file": settings.server.tls_cert_file is None,
            "admin.listen": settings.admin.listen,
            "state.dir": settings.state.dir,
            "audit.file": settings.audit.file,
            "log.format": settings.log.format,
            "log.level": settings.log.level,
        }

    running_with = fixed(running)
    return [key for key, value in fixed(wanted).items() if value != running_with[key]]
