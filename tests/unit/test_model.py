"""What the shared types decide: which limits an identity has, what a grant is for, and that secrets stay unprinted."""

import pickle

import pytest

from gateway.model import Delivery, Grant, Identity, IdentityKind, Secret, Video
from gateway.network import TrustedNetworks


def limited(recording: str | None, video: str | None, kind: IdentityKind = IdentityKind.TICKET) -> Identity:
    return Identity("anna", "issuer", "portal", kind, recording=recording, video=video)


@pytest.mark.parametrize(
    ("recording", "video", "covered", "is_narrowed"),
    [
        (None, None, {("r", None), ("r", "v"), ("r", "w"), ("q", None), ("q", "v")}, False),
        ("r", None, {("r", None), ("r", "v"), ("r", "w")}, True),
        ("r", "v", {("r", None), ("r", "v")}, True),
        (None, "v", {("r", "v"), ("q", "v")}, True),
    ],
)
def test_an_identity_covers_its_recording_and_its_video(
    recording: str | None, video: str | None, covered: set[tuple[str, str | None]], is_narrowed: bool
) -> None:
    identity = limited(recording, video)
    targets = [("r", None), ("r", "v"), ("r", "w"), ("q", None), ("q", "v")]
    assert {target for target in targets if identity.covers(*target)} == covered
    assert identity.is_narrowed is is_narrowed


def test_an_access_token_for_a_video_covers_no_recording_as_a_whole() -> None:
    token = limited("r", "v", IdentityKind.ACCESS_TOKEN)
    assert token.covers("r", "v")
    assert not token.covers("r")
    assert not token.covers("r", "w")


def test_a_person_is_an_issuer_and_a_subject() -> None:
    assert limited(None, None).person == ("issuer", "anna")


def test_only_a_grant_on_a_video_has_a_target() -> None:
    grant = Grant(limited(None, None), "r", "v", "account", Delivery.PROXY, "rule")
    assert grant.target == Video("r", "v")
    grant.video = None
    with pytest.raises(ValueError, match=r"^a grant on a whole recording has no link$"):
        _ = grant.target


def test_a_secret_prints_as_stars_and_equals_only_the_same_secret() -> None:
    secret = Secret("hidden")
    assert (repr(secret), str(secret), f"{secret}") == ("***", "***", "***")
    assert secret.reveal() == "hidden"
    assert secret == Secret("hidden")
    assert secret != Secret("other")
    assert secret != "hidden"
    assert {secret: 1}[Secret("hidden")] == 1
    assert hash(secret) not in (hash("hidden"), hash(Secret("other")))
    with pytest.raises(TypeError, match=r"^a Secret cannot be pickled$"):
        pickle.dumps(secret)


def test_networks_print_as_they_were_listed() -> None:
    assert repr(TrustedNetworks(["unix", "10.0.0.0/8", "::1"])) == "<TrustedNetworks 10.0.0.0/8 ::1/128 unix>"
    assert repr(TrustedNetworks(["10.0.0.0/8"])) == "<TrustedNetworks 10.0.0.0/8>"
