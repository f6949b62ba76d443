"""What the gateway writes and sends: the tables ``[audit]``, ``[tracing]`` and ``[log]``."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.settings.addresses import OptionalUrl
from gateway.settings.paths import FilePathText, KeyFile
from gateway.settings.values import Duration, Share, Table, duration_field, fault


def _collector_url(value: str) -> str:
    if value.rstrip("/").endswith("/v1/traces"):
        raise fault("ends in /v1/traces, which the gateway appends itself", "leave out /v1/traces")
    return value


CollectorUrl = Annotated[OptionalUrl, AfterValidator(_collector_url)]


class AuditSettings(Table):
    file: FilePathText = Field("-", description='`"-"` is standard output; mode 0600; reopened on SIGHUP')
    chain_key_file: KeyFile | None = Field(
        None, description="keys the hash chain (HMAC-SHA-256); without it the chain is plain SHA-256"
    )
    fsync: Literal["close", "always", "never"] = Field(
        "close",
        description="when the file is written to the disk: `close` is 0.1 s after each stream, `always` each line",
    )
    chain_head_log: Duration = duration_field("1h", "how often the hash chain's last line is logged; `0s` is never")


class TracingSettings(Table):
    otlp_endpoint: CollectorUrl = Field(
        "", description="collector of traces (OTLP over HTTP), as `http://127.0.0.1:4318`"
    )
    sample_ratio: Share = Field(0.1, description="share of the requests without a sampled traceparent that are traced")


class LogSettings(Table):
    format: Literal["json", "console"] = Field("json", description="format on standard error")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")
