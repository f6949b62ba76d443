"""What is broken in VALT, its links and its media server."""

import asyncio

import trustme

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.broken_sites import (
    NO_LINK,
    NO_LOGIN,
    NO_MEDIA,
    NO_RECORD,
    NO_SEARCH,
    NO_VIDEO,
    Site,
    knobs,
    redirected,
    with_url,
)
from tests.support.doctor_lab import Lab


def with_one_recording(lab: Lab) -> None:
    del lab.valt.recordings[1:]


def with_unready_videos(lab: Lab) -> None:
    for recording in lab.valt.recordings:
        for film in recording.films:
            film.ready = False


def without_videos(lab: Lab) -> None:
    for recording in lab.valt.recordings:
        recording.films.clear()


def with_unknown_recording(lab: Lab) -> None:
    lab.recording, lab.video = "00000000-0000-4000-8000-000000000000", CAMERA_A


def with_unknown_video(lab: Lab) -> None:
    lab.recording, lab.video = SESSION, "00000000-0000-4000-8000-000000000000"


def with_another_password(lab: Lab) -> None:
    (lab.folder / "valt-reviewer").write_text("an-expired-password")


def with_another_authority(lab: Lab) -> None:
    trustme.CA().cert_pem.write_to_path(str(lab.folder / "other-ca.pem"))
    lab.edit(('ca_file = "ca.pem"', 'ca_file = "other-ca.pem"'))


def with_a_silent_valt(lab: Lab) -> None:
    lab.valt.knobs.gate["login"] = asyncio.Event()
    lab.edit(("[valt]\n", '[valt]\nread_timeout = "1s"\n'))


VALT = [
    Site(
        "a name of VALT that does not resolve",
        *("valt_login:reviewer", "broken", "valt.invalid:443: ", "host name"),
        with_url("base_url", "https://valt.invalid"),
        NO_SEARCH | {"valt_login:trainee", "certificate:valt"},
    ),
    Site(
        "no VALT at the port",
        *("valt_login:reviewer", "broken", "Connect", "start the server"),
        with_url("base_url", "https://127.0.0.1:1"),
        NO_SEARCH | {"valt_login:trainee", "certificate:valt"},
    ),
    Site(
        "a VALT whose authority is not trusted",
        *("valt_login:reviewer", "broken", "certificate verify failed", "valt.ca_file"),
        with_another_authority,
        NO_SEARCH | {"valt_login:trainee", "certificate:valt"},
    ),
    Site(
        "a VALT whose certificate has expired",
        *("certificate:valt", "broken", "certificate has expired", "renew"),
        lambda _lab: None,
        NO_LOGIN,
        days={"valt": -1},
    ),
    Site(
        "a media server whose certificate ends in five days",
        *("certificate:media", "doubtful", "5 more days", "renew"),
        lambda _lab: None,
        frozenset({"certificate:valt"}),
        days={"valt": 5.5},
    ),
    Site(
        "a wrong password of one account",
        *("valt_login:reviewer", "broken", "refused the account 'reviewer'", "valt.accounts.reviewer"),
        with_another_password,
    ),
    Site(
        "a web server that is not VALT",
        *("valt_login:reviewer", "broken", "VALT", "valt.base_url"),
        knobs(rubbish={"login"}),
        NO_SEARCH | {"valt_login:trainee"},
    ),
    Site(
        "a VALT whose service is down behind its proxy",
        *("valt_login:trainee", "broken", "HTTP 502", "look at the server's log"),
        knobs(refuse={"login": 502}),
        NO_SEARCH | {"valt_login:reviewer"},
    ),
    Site(
        "a VALT that does not answer",
        *("valt_login:reviewer", "broken", "did not respond to a POST request in time", "firewalls"),
        with_a_silent_valt,
        NO_SEARCH | {"valt_login:trainee"},
    ),
    Site(
        "accounts without the API permission",
        *("valt_search", "broken", "HTTP 403", "API permission"),
        knobs(refuse={"search": 403}),
        NO_RECORD,
    ),
    Site(
        "accounts that see no recording",
        *("valt_search", "doubtful", "no recording is visible", "video access"),
        lambda lab: lab.valt.recordings.clear(),
        NO_RECORD,
    ),
    Site(
        "recordings without a video",
        *("valt_record", "doubtful", "has a video", "--recording"),
        without_videos,
        NO_VIDEO,
    ),
    Site(
        "a recording that VALT does not have",
        *("valt_record", "broken", "HTTP 404", "compare the ids"),
        with_unknown_recording,
        NO_VIDEO,
    ),
    Site(
        "a video that VALT does not have",
        *("valt_link", "broken", "HTTP 404", "compare the ids"),
        with_unknown_video,
        NO_LINK,
    ),
    Site(
        "videos that are not ready",
        *("valt_link", "broken", "HTTP 404", "may not be ready"),
        with_unready_videos,
        NO_LINK,
    ),
    Site(
        "a media server that is not listed",
        *("valt_link", "broken", "media.invalid:8000, which valt.media_hosts does not list", "valt.media_hosts"),
        knobs(link_host="media.invalid:8000"),
        NO_LINK,
    ),
]

LINKS = [
    Site(
        "a media server that cannot be reached",
        *("media_range", "broken", "127.0.0.1:1: Connect", "port 8000"),
        knobs(link_host="127.0.0.1:1"),
        NO_MEDIA | {"certificate:media"},
    ),
    Site(
        "a media server that refuses new links",
        *("media_range", "broken", "403 to a new link", "clocks"),
        knobs(refuse_media=[403] * 9),
        NO_MEDIA,
    ),
    Site(
        "a media server whose bodies break off",
        *("media_range", "broken", "the head arrives, and the bytes do not", "log"),
        knobs(end_after=[0] * 9),
        NO_MEDIA - {"link_opens_other_recording"},
    ),
    Site(
        "a media server that answers 500",
        *("media_range", "broken", "500 to a new link", "log"),
        knobs(refuse_media=[500] * 9),
        NO_MEDIA,
    ),
    Site(
        "a media server that ignores ranges",
        *("media_range", "broken", "ignores ranges", "Range requests"),
        knobs(ignore_range=True),
        frozenset({"media_if_range"}),
    ),
    Site(
        "a media server that sends other bytes",
        *("media_range", "broken", "other bytes than were requested", "proxy or cache"),
        knobs(wrong_content_range=True),
    ),
    Site(
        "a media server without validators",
        *("media_if_range", "doubtful", "no strong ETag", "cannot be resumed"),
        knobs(validators="none"),
    ),
    Site(
        "a media server with weak validators",
        *("media_if_range", "doubtful", "no strong ETag", "length and date are compared"),
        knobs(validators="weak"),
    ),
    Site(
        "a media server whose ETags have no quotes",
        *("media_if_range", "doubtful", "ETag has no quotes", "in quotes"),
        knobs(validators="unquoted"),
    ),
    Site(
        "a media server that ignores If-Range",
        *("media_if_range", "doubtful", "another version of the file is sent", "proxy or cache"),
        knobs(ignore_if_range=True),
    ),
    Site(
        "a media server that refuses HEAD, with a rule that redirects",
        *("media_head", "doubtful", "HEAD is answered 405", 'delivery = "proxy"'),
        redirected(refuse_head=True, unscoped_links=False),
        frozenset({"config", "link_clock"}),
    ),
    Site(
        "a VALT whose clock is 40 seconds ahead",
        *("link_clock", "doubtful", "ahead of this machine's: more than links.margin", "NTP"),
        knobs(clock_ahead=40.0, link_life=110.0),
    ),
    Site(
        "a VALT whose clock is an hour behind",
        *("link_clock", "broken", "behind this machine's: links are used after their end", "NTP"),
        knobs(clock_ahead=-3600.0),
    ),
    Site(
        "a media server whose clock differs from VALT's",
        *("link_clock", "doubtful", "behind it: more than links.margin", "NTP"),
        knobs(media_date_ahead=-300.0),
    ),
    Site(
        "links without an end",
        *("link_outlives_exp", "doubtful", "states no end", 'delivery = "proxy"'),
        knobs(link_without_exp=True),
        frozenset({"link_clock"}),
    ),
    Site(
        "links that are good for half an hour",
        *("link_outlives_exp", "doubtful", "ends only in 30 minutes", "as long as no rule redirects"),
        knobs(link_life=1800.0),
    ),
    Site(
        "links that open other recordings, with a rule that redirects",
        *("link_opens_other_recording", "broken", "opens another's file", 'delivery = "proxy"'),
        redirected(),
        frozenset({"config", "link_clock"}),
    ),
    Site(
        "a media server that needs no token",
        *("link_opens_other_recording", "broken", "needs no token", "firewall"),
        knobs(link_not_jwt=True),
        frozenset({"link_clock", "link_outlives_exp"}),
    ),
    Site(
        "one recording alone",
        *("link_opens_other_recording", "doubtful", "no second recording", "second recording"),
        with_one_recording,
    ),
    Site(
        "links that are valid after their end, with a rule that redirects",
        *("link_outlives_exp", "broken", "accepted after its end", 'delivery = "proxy"'),
        redirected(ignore_exp=True, unscoped_links=False),
        frozenset({"config", "link_clock"}),
    ),
]

VALT_SITES = [*VALT, *LINKS]
