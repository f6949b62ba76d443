"""Cookie tossing: another cookie under the same domain never stands for the session."""

import re
import time

import pytest

from gateway.identity.cookies import Cookie, read_cookie, read_every_cookie, select_last

NAME = "__Host-valt_gateway_session"
GOOD = "gAAAAABtoken_of-the-session=="
EVIL = "gAAAAABtoken_of-a-stranger=="


@pytest.mark.parametrize(
    "header",
    [
        f"{NAME}={GOOD}",
        f"a=b; {NAME}={GOOD}; c=d",
        f"a=b;{NAME}={GOOD};c=d",
        f"a=b;   {NAME}={GOOD}   ;",
        f"lone; {NAME}={GOOD}",
        f'a="x; {NAME}={GOOD}; b=y"',
        f"{NAME}2={EVIL}; {NAME}={GOOD}",
        f"valt_gateway_session={EVIL}; {NAME}={GOOD}",
        f"a={NAME}x={EVIL}; {NAME}={GOOD}",
    ],
)
def test_the_cookie_is_read_among_other_cookies(header: str) -> None:
    assert read_cookie([header], NAME) == GOOD


DISGUISES = [
    f"{NAME}",
    f"\u2000{NAME}",
    f"\u00a0{NAME}",
    f"\u3000{NAME}",
    f"\u0085{NAME}",
    f"\udcc2\udca0{NAME}",
    f"\t{NAME}",
    f"\x0b{NAME}",
    f"\x00{NAME}",
    f"{NAME}\t",
    f"{NAME} ",
    f"{NAME}\u00a0",
    f"{NAME}\x00",
    NAME.lower(),
    NAME.upper(),
    f'"{NAME}"',
    f"${NAME}",
    f"={NAME}",
    NAME.replace("H", "\uff28"),
    NAME.replace("_", "\uff3f"),
    f"\ufeff{NAME}",
    f"\u200b{NAME}",
]


@pytest.mark.promise("sign-in-16", "findings-3")
@pytest.mark.parametrize("disguise", DISGUISES, ids=ascii)
@pytest.mark.parametrize("first", [True, False])
def test_a_second_cookie_that_a_lax_parser_reads_as_ours_makes_both_none(disguise: str, first: bool) -> None:
    cookies = [f"{disguise}={EVIL}", f"{NAME}={GOOD}"]
    for order in (cookies, cookies[::-1]):
        assert read_cookie(["; ".join(order)], NAME) is None
        assert read_cookie(order if first else order[::-1], NAME) is None


@pytest.mark.parametrize("disguise", DISGUISES[1:], ids=ascii)
def test_a_disguised_cookie_alone_is_none(disguise: str) -> None:
    assert read_cookie([f"{disguise}={EVIL}"], NAME) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "short",
        f'"{EVIL}',
        f'"{EVIL}" x',
        f'""{EVIL}""',
        f"{EVIL}, {NAME}={EVIL}",
        f"{EVIL}\\075",
        f"{EVIL}\u00e9",
        f"{EVIL} {EVIL}",
        f"{EVIL}%3D",
        "A" * 4001,
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_value_with_other_characters_or_another_size_is_none(value: str) -> None:
    assert read_cookie([f"{NAME}={value}"], NAME) is None


@pytest.mark.parametrize("header", ["", ";", ";;;", "=", "a", "$Version=1", f"$Version=1, {NAME}={EVIL}", f"{NAME}"])
def test_a_header_without_the_cookie_has_none(header: str) -> None:
    assert read_cookie([header], NAME) is None


def test_no_header_has_none() -> None:
    assert read_cookie([], NAME) is None


@pytest.mark.promise("identity-I21")
def test_a_value_in_double_quotes_is_read_without_them() -> None:
    assert read_cookie([f'a=b; {NAME}="{GOOD}"'], NAME) == GOOD
    assert read_cookie([f'{NAME}="{GOOD}"; {NAME}={EVIL}'], NAME) is None


def test_thousands_of_other_cookies_are_compared_at_once() -> None:
    header = f"{NAME}={GOOD};" + ";".join(f"{number:x}\u00e9" for number in range(100_000))
    begin = time.process_time()
    assert read_cookie([header], NAME) == GOOD
    assert time.process_time() - begin < 2.0  # one by one they took ten times as long as now
    assert read_cookie([f"{header};\u3000{NAME}={EVIL}"], NAME) is None


def test_a_cookie_of_an_https_site_is_bound_to_its_host_and_secure() -> None:
    cookie = Cookie("name", secure=True)
    assert cookie.name == "__Host-name"
    assert cookie.set_header("x", 60) == "__Host-name=x; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert cookie.read([f"a=b; __Host-name={GOOD}", "c=d"]) == GOOD
    assert cookie.read([f"name={GOOD}"]) is None


def test_a_cookie_of_an_http_site_has_neither_prefix_nor_secure() -> None:
    cookie = Cookie("name", secure=False)
    assert cookie.clear_header() == "name=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
    assert cookie.read([f"name={GOOD}"]) == GOOD


def test_a_cookie_for_other_sites_is_partitioned() -> None:
    header = Cookie("name", secure=True, cross_site=True).set_header("x", 1)
    assert header == "__Host-name=x; Max-Age=1; Path=/; HttpOnly; SameSite=None; Partitioned; Secure"


def test_a_sign_out_reads_each_cookie_of_a_matching_name_ambiguous_or_not() -> None:
    headers = [f"s_1=a; s_1=b; s_2; other={GOOD}", 's_3="c"; s_3x=d; =s_1']
    assert read_every_cookie(headers, re.compile("s_[0-9]")) == [("s_1", "a"), ("s_1", "b"), ("s_3", "c")]
    assert read_every_cookie(['s_1=";s_2=""'], re.compile("s_[0-9]")) == [("s_1", '"'), ("s_2", "")]


@pytest.mark.promise("security-S4")
def test_of_more_cookies_than_are_read_those_set_last_are() -> None:
    cookies = [("a", "1"), ("b", "x"), ("c", "2"), ("c", "3"), ("d", "4x"), ("e", "")]
    assert select_last(cookies, re.compile("[0-9]"), 2) == [("c", "2"), ("c", "3")]
    assert select_last(cookies, re.compile("[0-9]"), 3) == [("a", "1"), ("c", "2"), ("c", "3")]
    assert select_last(iter(cookies), re.compile("[0-9]"), 36) == [("a", "1"), ("c", "2"), ("c", "3")]


def test_a_disguised_cookie_is_noticed_among_others_too() -> None:
    for disguise in DISGUISES:
        assert read_cookie([f"a=b; {disguise}={EVIL}; c=d; {NAME}={GOOD}; e=f"], NAME) is None


def test_only_spaces_around_a_cookie_are_left_out() -> None:
    assert read_cookie([f"X{NAME}={GOOD}"], NAME) is None
    assert read_cookie([f" {NAME}={GOOD}X "], NAME) == f"{GOOD}X"
