"""Renders the HTML pages: templates with autoescape, and one file of texts for each language.

The Content-Security-Policy allows scripts of this server on the watch page, on the page before sign-in, and on error
pages that count down."""

import base64
import functools
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from importlib.resources import files
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from gateway.errors import GatewayError
from gateway.model import Identity
from gateway.web.handlers.assets import Assets
from gateway.web.negotiation import is_embedded
from gateway.web.pages import wording
from gateway.web.pages.branding import Branding, accent_style, icon
from gateway.web.request import RejectedRequest, Request
from gateway.web.responses import retry_seconds

_ROOT = files("gateway.web.pages")
_SCRIPTS = "script-src 'self'; require-trusted-types-for 'script'; "
"""Added to the Content-Security-Policy of the pages that run a script."""


class Pages:
    """Renders pages. *media* are the CSP sources to which redirects may lead. *provider_titles* are the texts of the
    sign-in buttons by provider; empty without browser sign-in. *kerberos*: whether a navigation alone may
    sign a person in. Times are written in *zone*, None for the machine's."""

    def __init__(
        self,
        assets: Assets,
        *,
        branding: Branding,
        media: Sequence[str],
        provider_titles: Mapping[str, str],
        kerberos: bool = False,
        zone: tzinfo | None = None,
    ) -> None:
        self._assets = assets
        style = _ROOT.joinpath("style.css").read_text(encoding="utf-8") + accent_style(branding.accent_color)
        frame_ancestors = branding.frame_ancestors
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._frame_ancestors = " ".join(["'self'", *frame_ancestors])
        self._media = media
        self._branding = branding
        self._provider_titles = provider_titles
        self._portals = " ".join(frame_ancestors) or "'none'"
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; media-src 'self'; "
            f"form-action 'self'; base-uri 'none'; frame-ancestors "
        )
        self._languages = {
            file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))
            for file in _ROOT.joinpath("languages").iterdir()
            if file.name.endswith(".toml")
        }
        self._templates = Environment(
            loader=PackageLoader("gateway.web.pages"), autoescape=select_autoescape(), trim_blocks=True
        )
        self._templates.filters.update(
            local_time=functools.partial(wording.local_time, zone=zone), duration=wording.duration
        )
        self._references: dict[str, Markup] = {}
        self._constants = {
            "brand": branding.name,
            "logo": None if assets.logo is None else assets.address(assets.logo),
            "help_url": branding.help_url,
            "privacy_url": branding.privacy_url,
            "notice": branding.notice,
            "icon": icon(branding.accent_color),
            "signs_in": bool(provider_titles),
            "sign_in_at": "/oauth2/start" if provider_titles else "/recordings" if kerberos else "",
            "style": Markup(style),  # noqa: S704 our own file
        }

    def error(
        self,
        request: Request | RejectedRequest,
        error: GatewayError,
        status: int,
        subject: str = "",
        sign_in: str = "",
        link: str = "",
    ) -> web.Response:
        """Returns the page for *error*: what is wrong and what to do next. A portal of frame_ancestors may embed it.

        *subject* is the signed-in person, *sign_in* the path that starts a sign-in, *link* the path that was requested
        before a sign-in; each may be empty.
        """
        texts = self._texts(request)["error"].get(error.page or error.code, {})
        values = {
            "title": texts.get("title", error.code),
            "text": texts.get("text", error.detail),
            "subject": subject,
            "sign_in": sign_in,
            "link": link,
            "retry_after": None if error.retry_after is None or link else retry_seconds(error.retry_after),
            "asset": self._assets.address,
        }
        policy = (_SCRIPTS if values["retry_after"] else "") + self._policy + self._portals
        return self._page(request, "error.html", values, status=status, policy=policy)

    def home(self, request: Request, identity: Identity | None) -> web.Response:
        """Returns the start page: the signed-in person and the time of sign-in."""
        values = {
            "subject": identity and identity.subject,
            "since": timestamp(identity.issued_at) if identity and identity.issued_at else None,
            "session": identity and identity.session,
        }
        return self._page(request, "home.html", values)

    def sign_in(self, request: Request, providers: Sequence[str], rd: str, *, status: int = 200) -> web.Response:
        """Returns the page that leads to a sign-in and then back to *rd* with the URL's fragment.

        With one of *providers* a script continues at once; with several the person chooses.
        """
        titles = [(provider, self._provider_titles.get(provider) or provider) for provider in providers]
        values = {"providers": titles, "rd": rd if "#" in rd else f"{rd}#", "asset": self._assets.address}
        policy = _SCRIPTS + self._policy + "'none'"
        return self._page(request, "sign_in.html", values, status=status, policy=policy)

    def sign_out(self, request: Request) -> web.Response:
        """Returns the page with one button, which signs out."""
        return self._page(request, "sign_out.html", {})

    def signed_out(self, request: Request) -> web.Response:
        """Returns the page after a sign-out."""
        return self._page(request, "signed_out.html", {})

    def switch(self, request: Request, present: Identity, other: Identity, sealed: str, path: str) -> web.Response:
        """Returns the page that asks whether the browser, signed in as *present*, becomes *other*. *sealed* is sent
        back if so; *path* is where to go if not. A portal that embeds the watch page may show it."""
        names = [present.subject, other.subject]
        if present.subject == other.subject:
            names = [f"{one.subject} ({one.provider})" for one in (present, other)]
        values = {"present": names[0], "other": names[1], "sealed": sealed, "path": path}
        return self._page(request, "switch.html", values, policy=self._policy + self._portals)

    def reference(self, request: Request, contents: Mapping[str, Any]) -> web.Response:
        """Returns the API reference. *contents* are in English, the page around them in the person's language.

        *contents* must be the same each time: they are long, anybody may request them, and they are rendered once for
        each language.
        """
        language, docs = self._language(request), self._texts(request)["docs"]
        if language not in self._references:
            body = self._templates.get_template("reference_body.html").render(contents=contents, docs=docs)
            self._references[language] = Markup(body)  # noqa: S704 rendered with autoescape
        return self._page(request, "reference.html", {"body": self._references[language], "docs": docs})

    def recordings(self, request: Request, listed: Mapping[str, Any]) -> web.Response:
        """Returns one page of the list of recordings, with its search form."""
        return self._page(request, "recordings.html", {"listed": listed, "words": self._texts(request)["recordings"]})

    def recording(self, request: Request, recording: Mapping[str, Any]) -> web.Response:
        """Returns the watch page: every video of the recording that the person may see."""
        texts = self._languages["en"]["watch"] | self._texts(request)["watch"]
        asset, modules = self._assets.address, self._assets.modules()
        page = self._texts(request)
        data = {
            "recording": recording,
            "texts": texts,
            "errors": {code: error["title"] for code, error in page["error"].items()},
            "signs_in": bool(self._provider_titles),
            "help_url": self._branding.help_url,
            "notice": self._branding.notice,
            "portals": list(self._branding.frame_ancestors),
            "embedded": is_embedded(request),
            "person": _digest(request.record.identity),
        }
        values = {"recording": recording, "watch": texts, "modules": modules, "asset": asset, "data": data}
        # media-src also applies to the target of a redirect.
        media = " ".join(["'self'", *(self._media if recording["delivery"] == "redirect" else ())])
        policy = self._policy.replace("media-src 'self'", f"media-src {media}").replace("style-src", "style-src 'self'")
        policy = f"{_SCRIPTS}connect-src 'self'; {policy}{self._frame_ancestors}"
        return self._page(request, "recording.html", values, policy=policy)

    def _page(
        self,
        request: Request | RejectedRequest,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
        policy: str = "",
    ) -> web.Response:
        language = self._language(request)
        identity = request.record.identity
        text = self._templates.get_template(template).render(
            self._constants,
            **values,
            language=language,
            page=self._languages[language]["page"],
            embedded=is_embedded(request),
            person=None if identity is None else identity.subject,
            has_session=identity is not None and identity.session is not None,
            request_id=request.record.request_id,
        )
        return web.Response(
            status=status,
            text=text,
            content_type="text/html",
            headers={
                "Cache-Control": "no-store",
                "Content-Language": language,
                "Content-Security-Policy": policy or self._policy + "'none'",
                "Cross-Origin-Opener-Policy": "same-origin",
                # With no-referrer, browsers send "Origin: null" with a form, which proves no same origin.
                "Referrer-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
                "Vary": "Accept, Accept-Language, Sec-Fetch-Mode",
            },
        )

    def _texts(self, request: Request | RejectedRequest) -> Mapping[str, Any]:
        return self._languages[self._language(request)]

    def _language(self, request: Request | RejectedRequest) -> str:
        """Returns the configured language, or else the first of Accept-Language that has a file, or else English.

        Browsers sort Accept-Language by preference.
        """
        if self._branding.language != "auto":
            return self._branding.language
        for part in request.headers.get("Accept-Language", "").split(",")[:16]:
            primary = part.split(";")[0].strip().lower().split("-")[0]
            if primary in self._languages:
                return primary
        return "en"


def _digest(identity: Identity | None) -> str:
    """Returns a short digest of the person: the watch page forgets what it has stored of another one."""
    return "" if identity is None else hashlib.sha256("\n".join(identity.person).encode()).hexdigest()[:16]


def timestamp(seconds: float) -> str:
    """Returns Unix *seconds* as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
