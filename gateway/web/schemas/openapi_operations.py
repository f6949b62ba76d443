"""Builders of the operations of ``/openapi.json``, and the errors that all of them may return."""

from typing import Any

_CREDENTIALS: list[dict[str, list[str]]] = [{"bearer": []}, {"kerberos": []}, {"session": []}, {"service_key": []}]
_HEADERS = {"X-Request-ID": {"description": "id of the request in the log and the audit", "schema": {"type": "string"}}}


def ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def body(description: str, schema: dict[str, Any] | str, media: str = "application/json") -> dict[str, Any]:
    schema = ref("schemas", schema) if isinstance(schema, str) else schema
    return {"description": description, "headers": _HEADERS, "content": {media: {"schema": schema}}}


def empty(description: str) -> dict[str, Any]:
    return {"description": description, "headers": _HEADERS}


def html(description: str) -> dict[str, Any]:
    """Returns a response that is a page."""
    return body(description, {"type": "string"}, "text/html")


def json_or_page(description: str, schema: str) -> dict[str, Any]:
    """Returns a response that is JSON for a script and HTML for a browser."""
    answer = body(description, schema)
    answer["content"]["text/html"] = {"schema": {"type": "string"}}
    return answer


PROBLEM = "application/problem+json"


def _problem(description: str) -> dict[str, Any]:
    answer = body(description, "Problem", PROBLEM)
    answer["content"]["text/html"] = {"schema": {"type": "string"}}
    return answer


_PROBLEMS = {
    "400": _problem("bad_request: the request is malformed or ambiguous"),
    "401": _problem("credentials_missing or credentials_invalid"),
    "403": _problem("access_denied: no rule matches"),
    "404": _problem("video_invalid, video_not_found or not_found"),
    "405": _problem("method_not_allowed"),
    "408": _problem("request_timeout: head or body did not arrive in time"),
    "410": _problem("recording_expired: the recording's retention time is over"),
    "421": _problem("misdirected_request: the request target names another authority"),
    "429": _problem("too_many_requests, with Retry-After"),
    "431": _problem("headers_too_large"),
    "500": _problem("internal"),
    "502": _problem("valt_response, valt_login or link_refused"),
    "503": _problem("valt_unavailable, identity_provider or busy, with Retry-After"),
    "504": _problem("valt_timeout"),
}
VALT_ERRORS = {
    "400": _problem("bad_request: the request is malformed or ambiguous"),
    "401": body("No credentials, or credentials that are not valid", "ValtError"),
    "404": body("Not found, or the caller may not see it", "ValtError"),
    "408": body("The request did not arrive in time", "ValtError"),
    "429": body("Too many requests, with Retry-After", "ValtError"),
    "500": body("The body is not a JSON object", "ValtError"),
    "502": body("VALT sent a response that cannot be used", "ValtError"),
    "503": body("VALT cannot be reached, with Retry-After", "ValtError"),
    "504": body("VALT did not answer in time", "ValtError"),
}


SIGN_IN = {
    "302": empty("To sign-in, for a browser"),
    "303": empty("The ticket was exchanged for a session; to the same address without it"),
}
"""The redirects of addresses that browsers open."""


def operation(
    summary: str,
    answers: dict[str, Any],
    *,
    problems: dict[str, Any] | None = None,
    credentials: bool = True,
    parameters: tuple[str, ...] = (),
    request_body: tuple[str, str] | None = None,
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "summary": summary,
        "parameters": [ref("parameters", name) for name in parameters],
        "responses": {**(_PROBLEMS if problems is None else problems), **answers},
        "security": _CREDENTIALS if credentials else [],
    }
    if request_body is not None:
        schema, media = request_body
        result["requestBody"] = {"content": {media: {"schema": ref("schemas", schema)}}}
    return result


def read(summary: str, answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Returns the operations GET and HEAD."""
    head = {status: {k: v for k, v in answer.items() if k != "content"} for status, answer in answers.items()}
    problems = {status: empty(problem["description"]) for status, problem in _PROBLEMS.items()}
    return {
        "get": operation(summary, answers, **more),
        "head": operation(summary, head, **{**more, "problems": problems}),
    }


def forward_auth(summary: str, status: str, parameters: tuple[str, ...]) -> dict[str, Any]:
    """Returns the operations of an address that front proxies ask, for the methods that OpenAPI has."""
    names = ("User", "Groups", "Provider")
    allowed = empty("Allowed; the headers name the identity")
    allowed["headers"] = _HEADERS | {f"X-Auth-Request-{name}": {"schema": {"type": "string"}} for name in names}
    problems = {code: body(one["description"], "Problem", PROBLEM) for code, one in _PROBLEMS.items()}
    bodiless = {code: empty(one["description"]) for code, one in _PROBLEMS.items()}
    methods = ("get", "head", "post", "put", "patch", "delete", "options")
    return {
        method: operation(
            summary,
            {status: allowed},
            problems=bodiless if method == "head" else problems,
            parameters=parameters,
        )
        for method in methods
    }


def page(summary: str, answers: dict[str, Any], parameters: tuple[str, ...] = ()) -> dict[str, Any]:
    """Returns the operation GET of a page for browsers."""
    return {"get": operation(summary, answers, credentials=False, parameters=parameters)}


def valt_api(method: str, summary: str, answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {method: operation(summary, answers, problems=VALT_ERRORS, **more)}
