"""Which URLs of Redis are read, and how."""

import pytest

from gateway.model import Secret
from gateway.redis_url import RedisUrl, parse_redis_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://redis", RedisUrl((("redis", 6379),))),
        ("redis://10.0.0.7:6380/3", RedisUrl((("10.0.0.7", 6380),), database=3)),
        ("redis://[::1]:6380/", RedisUrl((("::1", 6380),))),
        ("redis://:p%40ss@redis", RedisUrl((("redis", 6379),), password=Secret("p@ss"))),
        ("redis://valt:p%2Fss@redis/1", RedisUrl((("redis", 6379),), False, "valt", Secret("p/ss"), 1)),
        ("redis://redis?socket_timeout=0.5", RedisUrl((("redis", 6379),), timeout=0.5)),
        ("rediss://redis", RedisUrl((("redis", 6379),), tls=True)),
        ("rediss://redis?ssl_ca_certs=/etc/ca.pem", RedisUrl((("redis", 6379),), tls=True, ca_file="/etc/ca.pem")),
        ("redis+sentinel://one,two:26380/valt", RedisUrl((("one", 26379), ("two", 26380)), service="valt")),
        (
            "redis+sentinel://u:p@one/valt/2?sentinel_username=s&sentinel_password=q",
            RedisUrl(
                (("one", 26379),),
                username="u",
                password=Secret("p"),
                database=2,
                service="valt",
                sentinel_username="s",
                sentinel_password=Secret("q"),
            ),
        ),
    ],
)
def test_a_url_is_read(text: str, expected: RedisUrl) -> None:
    assert parse_redis_url(Secret(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "redis",
        "http://redis",
        "redis://",
        "redis://user:secret@",
        "redis://one,two",
        "redis://redis:0",
        "redis://redis:65536",
        "redis://redis:port",
        "redis://redis/database",
        "redis://redis/1/2",
        "redis://redis#fragment",
        "redis://redis?ssl_cert_reqs=none",
        "redis://redis?socket_timeout=0",
        "redis://redis?socket_timeout=2s",
        "rediss://redis?ssl_cert_reqs=none",
        "redis+sentinel://one,two",
        "redis+sentinel://one,two/",
        "redis://user:secret@re dis",
        "unix:///run/redis.sock",
    ],
)
def test_another_text_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|names|has) ") as raised:
        parse_redis_url(Secret(text))
    assert "secret" not in str(raised.value)
