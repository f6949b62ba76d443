"""VALT's answers, rebuilt of what is known: whatever else VALT told gets no further."""

import json

import pytest

from gateway.valt import schema
from gateway.web.schemas import valt_api

CAMERA = {"id": 63, "name": "Ceiling", "ip": "192.0.2.7", "username": "planted-user", "password": "planted-password"}
TOLD = {
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
def test_camera_passwords_and_other_peoples_rights_get_no_further() -> None:
    known = schema.recording_details(json.dumps({"data": TOLD}).encode())
    whole = json.dumps([valt_api.details(known, known.videos), valt_api.row(known)])
    assert "Ceiling" in whole
    assert "jsmith" in whole
    for secret in ("planted", "192.0.2.7", "990001", "990002"):
        assert secret not in whole
