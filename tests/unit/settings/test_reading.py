"""What is read from a valid file and the environment: values, secrets and paths."""

from pathlib import Path

import pytest

from gateway.model import Secret
from gateway.settings.faults import Fault, Findings
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings
from gateway.settings.values import seconds
from tests.unit.settings.configurations import GOOD, load_text, private

SESSION = '[session]\nsecret = "planted-session-secret-of-more-than-32-bytes"\n'
LONG = "planted-{}-and-more-until-there-are-32-bytes"


def settings_of(folder: Path, text: str = GOOD, environ: dict[str, str] | None = None) -> Settings:
    loaded = load_text(folder, text, environ)
    assert loaded.faults == ()
    assert loaded.settings is not None
    return loaded.settings


@pytest.mark.parametrize(
    ("text", "expected"), [("0s", 0), ("250ms", 0.25), ("30s", 30), ("1.5m", 90), ("8h", 28_800), ("90d", 7_776_000)]
)
def test_a_duration_is_read_as_seconds(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_defaults_are_converted_like_given_values(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    assert settings.server.drain_timeout == 60.0
    assert settings.links.min_life == 300.0
    assert settings.state.dir is None
    assert settings.valt.ca_file is None
    assert settings.audit.file == "-"


def test_settings_are_immutable(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    with pytest.raises(ValueError, match="frozen"):
        settings.server.workers = 2  # type: ignore[misc]


def test_a_trailing_slash_of_public_url_is_removed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD.replace("recordings.example.edu", "recordings.example.edu/"))

    assert settings.server.public_url == "https://recordings.example.edu"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = (
        GOOD.replace("[valt]\n", '[valt]\nca_file = "ca.pem"\n') + '[state]\ndir = "state"\n[audit]\nfile = "a.jsonl"\n'
    )

    settings = settings_of(tmp_path, text)

    assert settings.valt.ca_file == tmp_path / "ca.pem"
    assert settings.state.dir == tmp_path / "state"
    assert settings.audit.file == str(tmp_path / "a.jsonl")


def test_the_trailing_newline_of_a_secret_file_is_removed(tmp_path: Path) -> None:
    private(tmp_path / "password", "planted\n")

    settings = settings_of(tmp_path, GOOD.replace('password = "planted-password"', 'password_file = "password"'))

    assert settings.valt.accounts["reviewer"].password == Secret("planted")


def test_a_secret_is_read_from_an_environment_variable(tmp_path: Path) -> None:
    text = GOOD.replace('password = "planted-password"', 'password_env = "REVIEWER"')

    settings = settings_of(tmp_path, text, {"REVIEWER": "planted"})

    assert settings.valt.accounts["reviewer"].password == Secret("planted")


def test_a_file_of_session_secrets_has_one_per_line_in_order(tmp_path: Path) -> None:
    private(tmp_path / "sessions", f"{LONG.format('new')}\n\n{LONG.format('old')}\n")

    session = settings_of(tmp_path, GOOD + '[session]\nsecrets_file = "sessions"\n').session

    assert session is not None
    assert session.secrets == (Secret(LONG.format("new")), Secret(LONG.format("old")))


def test_a_world_readable_secret_file_is_a_warning(tmp_path: Path) -> None:
    private(tmp_path / "password", "planted\n")
    (tmp_path / "password").chmod(0o644)

    loaded = load_text(tmp_path, GOOD.replace('password = "planted-password"', 'password_file = "password"'))

    assert loaded.settings is not None
    assert [warning.key for warning in loaded.warnings] == ["valt.accounts.reviewer.password_file"]


def test_the_repr_of_settings_has_no_secret(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD + SESSION)

    assert "planted" not in f"{settings!r} {settings} {settings.valt.accounts['reviewer']!r}"


def test_the_addresses_of_a_header_provider_are_networks(tmp_path: Path) -> None:
    text = GOOD + '[[identity]]\ntype = "header"\nname = "front"\nfrom = ["10.0.0.5", "unix", "fd00::/8"]\n'

    provider = settings_of(tmp_path, text).identity[1]

    assert isinstance(provider, HeaderSettings)
    assert provider.from_ == ("10.0.0.5/32", "unix", "fd00::/8")


@pytest.mark.parametrize("address", ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_plain_http_is_allowed_for_loopback(tmp_path: Path, address: str) -> None:
    text = GOOD.replace("https://recordings.example.edu", address).replace("https://valt.example.edu", address)

    assert load_text(tmp_path, text).warnings == ()


def test_plain_http_to_a_remote_valt_is_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, GOOD.replace("https://valt", "http://valt"))

    assert loaded.settings is not None
    assert [(warning.key, warning.line) for warning in loaded.warnings] == [("valt.base_url", 5)]


@pytest.mark.promise("streams-20", "findings-1", "findings-21")
def test_redirect_delivery_is_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, GOOD + 'delivery = "redirect"\n')

    assert loaded.settings is not None
    assert [(warning.key, warning.line) for warning in loaded.warnings] == [("grants.0.delivery", 22)]


def test_environment_variables_override_the_file(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        GOOD,
        {
            "VALT_GATEWAY_SERVER__PUBLIC_URL": "https://other.example.edu",
            "VALT_GATEWAY_SERVER__TRUSTED_PROXIES": '["10.0.0.5/32"]',
            "VALT_GATEWAY_LIMITS__STREAMS": "7",
            "VALT_GATEWAY_LINKS__MARGIN": "10s",
        },
    )

    assert settings.server.public_url == "https://other.example.edu"
    assert settings.server.trusted_proxies == ("10.0.0.5/32",)
    assert settings.limits.streams == 7
    assert settings.links.margin == 10.0


def test_digits_stay_text_in_the_environment(tmp_path: Path) -> None:
    digits = "1234567890" * 4

    settings = settings_of(
        tmp_path, GOOD, {"VALT_GATEWAY_SESSION__SECRET": digits, "VALT_GATEWAY_BRANDING__NAME": "2026"}
    )

    assert settings.session is not None
    assert settings.session.secrets == (Secret(digits),)
    assert settings.branding.name == "2026"


def test_variables_without_a_double_underscore_are_ignored(tmp_path: Path) -> None:
    settings_of(tmp_path, GOOD, {"VALT_GATEWAY_PORT": "tcp://10.0.0.1:80", "VALT_GATEWAY_SERVICE_HOST": "10.0.0.1"})


def test_a_fault_of_the_environment_names_the_variable(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        GOOD,
        {
            "VALT_GATEWAY_LINKS__MARGN": "10s",
            "VALT_GATEWAY_SERVER__WORKERS": "two",
            "VALT_GATEWAY_SERVER__CORS_ORIGINS": '["ftp://portal.example.edu"]',
            "VALT_GATEWAY_GRANTS__NAME": "x",
            "VALT_GATEWAY_SESSION__SECRET": "planted",
        },
    )

    assert sorted((fault.key, fault.line, fault.reason) for fault in loaded.faults) == [
        ("VALT_GATEWAY_GRANTS__NAME", None, "names a key of an array"),
        ("VALT_GATEWAY_LINKS__MARGN", None, "is an unknown key"),
        ("VALT_GATEWAY_SERVER__CORS_ORIGINS.0", None, "is not a plain http(s) URL"),
        ("VALT_GATEWAY_SERVER__WORKERS", None, "is not a whole number"),
        ("VALT_GATEWAY_SESSION__SECRET", None, "is shorter than 32 bytes"),
    ]
    assert "planted" not in repr(loaded)


def test_faults_of_examples_have_their_line(tmp_path: Path) -> None:
    def refuse(settings: Settings) -> Findings:
        return Findings([Fault("examples.0", None, f"is refused by {len(settings.grants)} rule", "correct it")])

    text = GOOD + '\n[[examples]]\nsubject = "anna"\nrecording = "1"\nallowed = true\n'

    loaded = load_text(tmp_path, text, try_examples=refuse)

    assert loaded.settings is None
    assert loaded.faults == (Fault("examples.0", 23, "is refused by 1 rule", "correct it"),)


def test_examples_are_not_tried_if_there_is_a_fault(tmp_path: Path) -> None:
    def never(settings: Settings) -> Findings:
        raise AssertionError(settings)

    loaded = load_text(tmp_path, GOOD.replace('account = "reviewer"', 'account = "nobody"'), try_examples=never)

    assert [fault.key for fault in loaded.faults] == ["grants.0.account"]


@pytest.mark.promise("rules-11")
@pytest.mark.parametrize(
    "narrower",
    ['rooms = ["Room 3"]', 'created_within = "90d"', "author_is_me = true", 'template = { course = "x" }'],
)
def test_a_rule_after_a_narrower_one_is_not_shadowed(tmp_path: Path, narrower: str) -> None:
    wider = '\n[[grants]]\nname = "w"\ngroups = ["supervisors"]\nrecordings = ["*"]\naccount = "reviewer"\n'

    assert load_text(tmp_path, f"{GOOD}{narrower}\n{wider}").faults == ()


@pytest.mark.promise("rules-11")
def test_a_narrower_rule_after_a_wider_one_is_shadowed(tmp_path: Path) -> None:
    narrower = '\n[[grants]]\nname = "n"\ngroups = ["supervisors"]\nrecordings = ["a*"]\naccount = "reviewer"\n'

    loaded = load_text(tmp_path, f'{GOOD}{narrower}created_within = "1d"\nrooms = ["Room 3"]\n')

    assert [fault.key for fault in loaded.faults] == ["grants.1"]


def test_a_rule_with_another_account_is_not_shadowed(tmp_path: Path) -> None:
    condition = 'rooms = ["Room 3"]\n'
    other = '\n[[grants]]\nname = "n"\ngroups = ["supervisors"]\nrecordings = ["*"]\naccount = "{}"\n' + condition
    account = '\n[valt.accounts.trainee]\nusername = "svc-trainee"\npassword = "planted"\n'

    alike = load_text(tmp_path, GOOD + condition + other.format("reviewer") + account)
    differently = load_text(tmp_path, GOOD + condition + other.format("trainee") + account)

    assert [fault.key for fault in alike.faults] == ["grants.1"]
    assert differently.faults == ()
