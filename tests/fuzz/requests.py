"""Random requests of many kinds, each of which knows whether a response may be its own."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from gateway.sim.catalogue import CAMERA_A, CAMERA_B, SESSION
from tests.support.client import Response
from tests.support.gateway_fixture import PUBLIC, GatewayStack

_VIDEO = f"/recordings/{SESSION}/videos/"
_PEOPLE = 5
_JSON = "Content-Type: application/json"


@dataclass(frozen=True)
class Request:
    """*belongs* tells whether a response may be this request's; *is_last* whether the connection must end with it.

    If aiohttp's parser stops at it (*stops_parser*), it also drops what came in the same segment before it.
    """

    kind: str
    data: bytes
    belongs: Callable[[Response], bool]
    is_head: bool = False
    is_last: bool = False
    stops_parser: bool = False


class RandomRequests:
    """Requests to *stack*, chosen by *choices*."""

    def __init__(self, stack: GatewayStack, choices: random.Random) -> None:
        self._random = choices
        film = stack.valt.recording(SESSION).film(CAMERA_A)
        assert film is not None
        self._film, self._etag = film.content, film.etag
        self._people = [stack.bearer(f"person-{number}") for number in range(_PEOPLE)]
        self._redirected = stack.bearer("person-0", "redirected")
        self._kinds = (
            *(self._range, self._range, self._person, self._redirect, self._head, self._refused, self._robots),
            *(self._not_modified, self._unsatisfiable, self._absolute, self._http_1_0, self._after_empty_lines),
            *(self._login, self._expected_body, self._unknown),
        )
        self._closing = (
            *(self._malformed, self._unread_body, self._upgrade, self._upgrade_with_body, self._chunked_login),
            *(self._connect, self._closed, self._two_lengths, self._preflight, self._unreadable_target),
        )

    def choose(self) -> Request:
        return self._random.choice(self._closing if self._random.random() < 0.08 else self._kinds)()

    def _range(self) -> Request:
        begin = self._random.randrange(len(self._film) - 1)
        end = min(len(self._film) - 1, begin + self._random.choice([0, 1, 100, 70_000, 300_000]))
        data = _get(_VIDEO + CAMERA_A, self._random.choice(self._people), f"Range: bytes={begin}-{end}")
        return Request("range", data, lambda r: r.status == 206 and r.body == self._film[begin : end + 1])

    def _person(self) -> Request:
        number = self._random.randrange(_PEOPLE)
        return Request("person", _get("/oauth2/userinfo", self._people[number]), _names(number))

    def _redirect(self) -> Request:
        video = self._random.choice([CAMERA_A, CAMERA_B])
        data = _get(_VIDEO + video, self._redirected)
        return Request(
            "redirect", data, lambda r: r.status == 307 and r.headers["X-Valt-Gateway-Delivery"] == "redirect"
        )

    def _head(self) -> Request:
        data = _get(_VIDEO + CAMERA_A, self._people[0]).replace(b"GET", b"HEAD", 1)
        return Request("HEAD", data, lambda r: r.headers.get("Content-Length") == str(len(self._film)), is_head=True)

    def _refused(self) -> Request:
        unknown = f"/recordings/fuzz-{self._random.randrange(10**6)}/videos/1"
        return Request("refused", _get(unknown, {}), lambda r: r.status == 401)

    def _robots(self) -> Request:
        return Request("robots", _get("/robots.txt", {}), _is_robots)

    def _not_modified(self) -> Request:
        data = _get(_VIDEO + CAMERA_A, self._people[0], f"If-None-Match: {self._etag}")
        return Request("not modified", data, lambda r: r.status == 304)

    def _unsatisfiable(self) -> Request:
        data = _get(_VIDEO + CAMERA_A, self._people[0], f"Range: bytes={len(self._film)}-")
        return Request("unsatisfiable range", data, lambda r: r.status == 416)

    def _absolute(self) -> Request:
        number = self._random.randrange(_PEOPLE)
        return Request("absolute form", _get(PUBLIC + "/oauth2/userinfo", self._people[number]), _names(number))

    def _http_1_0(self) -> Request:
        number = self._random.randrange(_PEOPLE)
        data = _get("/oauth2/userinfo", self._people[number], "Connection: keep-alive")
        return Request("HTTP/1.0", data.replace(b"HTTP/1.1", b"HTTP/1.0", 1), _names(number))

    def _after_empty_lines(self) -> Request:
        number = self._random.randrange(_PEOPLE)
        data = b"\r\n" * self._random.randint(1, 3) + _get("/oauth2/userinfo", self._people[number])
        return Request("empty lines", data, _names(number))

    def _login(self) -> Request:
        return Request("login", _post("/api/v3/login", b'{"username": "x", "password": "y"}'), _is_refused_login)

    def _expected_body(self) -> Request:
        body = b'{"username": "x", "password": "%s"}' % (b"y" * self._random.randrange(1000))
        return Request("expected body", _post("/api/v3/login", body, "Expect: 100-continue"), _is_refused_login)

    def _preflight(self) -> Request:
        data = _get(_VIDEO + CAMERA_A, {}, "Origin: https://x.example", "Access-Control-Request-Method: GET")
        return Request("preflight", data.replace(b"GET", b"OPTIONS", 1), lambda r: r.status == 405, is_last=True)

    def _unknown(self) -> Request:
        return Request("unknown", _get(f"/unknown-{self._random.randrange(10**6)}", {}), lambda r: r.status == 404)

    def _malformed(self) -> Request:
        data = self._random.choice(
            [b"GET / HTTP/3.7\r\n\r\n", b"\x16\x03\x01\x02\r\n\r\n", b"GET  /\r\nHost x\r\n\r\n"]
        )
        return Request("malformed", data, lambda r: r.status == 400, is_last=True, stops_parser=True)

    def _unread_body(self) -> Request:
        size = self._random.choice([1, 1000, 100_000])
        data = _get("/robots.txt", {}, f"Content-Length: {size}") + b"x" * size
        return Request("unread body", data, _is_robots, is_last=True)

    def _upgrade(self) -> Request:
        data = _get("/robots.txt", {}, "Connection: Upgrade", "Upgrade: h2c")
        return Request("upgrade", data, _is_robots, is_last=True)

    def _upgrade_with_body(self) -> Request:
        data = _post("/api/v3/login", b'{"username": "x", "password": "y"}', "Connection: Upgrade", "Upgrade: h2c")
        return Request("upgrade with body", data, _is_refused_login, is_last=True)

    def _chunked_login(self) -> Request:
        chunks = self._random.choice([b"2;a=b\r\n{}\r\n0\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n"])
        data = _head_of("POST", "/api/v3/login", {}, _JSON, "Transfer-Encoding: chunked") + chunks
        return Request("chunked login", data, _is_refused_login, is_last=True)

    def _connect(self) -> Request:
        data = _head_of("CONNECT", "localhost:8080", {})
        return Request("CONNECT", data, lambda r: r.status == 400, is_last=True)

    def _unreadable_target(self) -> Request:
        authority = self._random.choice(["xn--", "xn--a", "xn--.localhost", "a.xn--%s" % ("9" * 60)])
        method, target = self._random.choice([("GET", f"http://{authority}/"), ("CONNECT", f"{authority}:443")])
        data = _head_of(method, target, {})
        return Request("unreadable target", data, lambda r: r.status in (400, 421), is_last=True)

    def _closed(self) -> Request:
        number = self._random.randrange(_PEOPLE)
        data = _get("/oauth2/userinfo", self._people[number], "Connection: close")
        return Request("closed", data, _names(number), is_last=True, stops_parser=True)

    def _two_lengths(self) -> Request:
        data = _head_of("POST", "/api/v3/login", {}, "Content-Length: 2", "Transfer-Encoding: chunked") + b"{}"
        return Request("two lengths", data, lambda r: r.status == 400, is_last=True, stops_parser=True)


def _names(number: int) -> Callable[[Response], bool]:
    return lambda response: f'"person-{number}"'.encode() in response.body


def _is_robots(response: Response) -> bool:
    return response.status == 200 and b"Disallow" in response.body


def _is_refused_login(response: Response) -> bool:
    return response.status == 401 and b"Invalid username" in response.body


def _get(path: str, headers: dict[str, str], *lines: str) -> bytes:
    return _head_of("GET", path, headers, *lines)


def _post(path: str, body: bytes, *lines: str) -> bytes:
    return _head_of("POST", path, {}, _JSON, f"Content-Length: {len(body)}", *lines) + body


def _head_of(method: str, path: str, headers: dict[str, str], *lines: str) -> bytes:
    fields = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *fields, *lines, "", ""]).encode()
