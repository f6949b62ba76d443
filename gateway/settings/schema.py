"""The JSON Schema of the file, for editors, and the list of its keys, for the README. Both are made from the models."""

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.settings import identity
from gateway.settings.model import AccountSettings, Settings

_SECRETS = {
    "AdminSettings": ("token",),
    "StateSettings": ("url", "secret"),
    "AccountSettings": ("password",),
    "HeaderSettings": ("secret",),
    "TicketSettings": ("secret", "public_key"),
    "OidcSettings": ("client_secret", "private_key"),
}


@dataclass(frozen=True, slots=True)
class DocumentedKey:
    """One row of the README's table. *default* is as an operator would write it, or "required"."""

    section: str
    key: str
    default: str
    description: str


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema (2020-12) of the file, with each secret also as ``_file`` and ``_env``."""
    schema = Settings.model_json_schema(by_alias=True)
    for name, secrets in _SECRETS.items():
        table = schema["$defs"][name]
        for secret in secrets:
            text = table["properties"][secret]
            for spelling in (f"{secret}_file", f"{secret}_env"):
                table["properties"][spelling] = {"type": "string", "description": text.get("description", "")}
            if secret in table.get("required", []):
                table["required"].remove(secret)
                table["oneOf"] = [{"required": [s]} for s in (secret, f"{secret}_file", f"{secret}_env")]
    session = schema["$defs"]["SessionSettings"]
    session["properties"].pop("secrets")
    for spelling in ("secret", "secret_file", "secret_env", "secrets_file"):
        session["properties"][spelling] = {"type": "string"}
    session["required"] = []
    session["oneOf"] = [{"required": [s]} for s in ("secret", "secret_file", "secret_env", "secrets_file")]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "valt-gateway", **schema}


def documented_keys() -> list[DocumentedKey]:
    """Returns every key of every table, in the order of the file."""
    rows: list[DocumentedKey] = []
    for section, field in Settings.model_fields.items():
        for heading, table in _tables(section, field):
            rows += [
                DocumentedKey(heading, info.alias or key, _default(info), info.description or "")
                for key, info in table.model_fields.items()
                if not (heading == "[valt]" and key == "accounts")
            ]
    return rows


def _tables(section: str, field: FieldInfo) -> list[tuple[str, type[BaseModel]]]:
    if section == "identity":
        kinds = identity.PROVIDER_TABLES
        return [(f'[[identity]] type = "{get_args(kind.model_fields["type"].annotation)[0]}"', kind) for kind in kinds]
    arguments = [field.annotation, *get_args(field.annotation)]
    table = next(a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel))
    heading = f"[[{section}]]" if str(field.annotation).startswith("tuple") else f"[{section}]"
    tables: list[tuple[str, type[BaseModel]]] = [(heading, table)]
    if section == "valt":
        tables.append(("[valt.accounts.NAME]", AccountSettings))
    return tables


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.default
    if value is None or value == "":
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    if isinstance(value, dict):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)
