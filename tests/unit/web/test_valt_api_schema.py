"""Responses in VALT's shape contain only the fields that the gateway reads, whatever else VALT sends."""

import json

import pytest

from gateway.valt import schema
from gateway.web.schemas import valt_api

CAMERA = {"id": 63, "name": "Ceiling", "ip": "192.0.2.7", "username": "planted-user", "password": "planted-password"}
VALT_RECORD = {
    "id": "6ecfe37c-a2e9-4f2d-b56e-847a4e730ed0",
    "name": "Session 1451",
    "author": {"id": 7, "name": "jsmith", "card_number": "planted-card", "rights": ["planted-right"]},
    "room": {"id": 37, "name": "Room 1", "cameras": [CAMERA]},
    "cameras": {"63": "Ceiling", "64": CAMERA},
    "sharing": {"users": [990001], "groups": [990002]},
    "videos": [{"id": "film", "status": {"url": "planted-url"}, "camera": CAMERA}],
    "media_server": {"address": "planted-host"},
}


@pytest.mark.promise("rules-22")
def test_camera_passwords_and_other_peoples_rights_are_left_out() -> None:
    details = schema.recording_details(json.dumps({"data": VALT_RECORD}).encode())
    whole = json.dumps([valt_api.details(details, details.videos), valt_api.row(details)])
    assert "Ceiling" in whole
    assert "jsmith" in whole
    for secret in ("planted", "192.0.2.7", "990001", "990002"):
        assert secret not in whole
