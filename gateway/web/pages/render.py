"""Our pages: templates with autoescape, texts from one small file a language, and a policy that runs no script."""

import base64
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
from gateway.web.request import Request

_ROOT = files("gateway.web.pages")
_SCRIPTS = "script-src 'self'; require-trusted-types-for 'script'; "
"""Added to the policy of the two pages that run any, our own."""


class Pages:
    """*brand*, *help_url* and *frame_ancestors* are the configuration's; *media* are the sources, as a policy names
    them, that redirects may lead to; *signs_in* tells whether people can sign in here."""

    def __init__(
        self,
        assets: Assets,
        *,
        brand: str,
        help_url: str,
        frame_ancestors: Sequence[str],
        media: Sequence[str],
        signs_in: bool = False,
    ) -> None:
        self._assets = assets
        style = _ROOT.joinpath("style.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._frame_ancestors = " ".join(["'self'", *frame_ancestors])
        self._media = media
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
        self._templates.filters.update(moment=wording.moment, span=wording.span)
        self._constants = {
            "brand": brand,
            "logo": None if assets.logo is None else assets.address(assets.logo),
            "help_url": help_url,
            "signs_in": signs_in,
            "style": Markup(style),  # noqa: S704 our own file
        }

    def error(
        self, request: Request, error: GatewayError, status: int, subject: str = "", sign_in: str = "", link: str = ""
    ) -> web.Response:
        """The page for *error*: what is wrong and what to do next. A portal that embeds the watch page may show it.
        *subject* is who is signed in, *sign_in* the address at which one may, *link* the page that was requested."""
        texts = self._texts(request)["error"].get(error.page or error.code, {})
        values = {"title": texts.get("title", error.code), "text": texts.get("text", error.detail)}
        values |= {"subject": subject, "sign_in": sign_in, "link": link}
        return self._page(request, "error.html", values, status=status, policy=self._policy + self._portals)

    def home(self, request: Request, identity: Identity | None) -> web.Response:
        """Who you are and since when."""
        values = {
            "subject": identity and identity.subject,
            "since": timestamp(identity.issued_at) if identity and identity.issued_at else None,
            "session": identity and identity.session,
        }
        return self._page(request, "home.html", values)

    def sign_in(self, request: Request, providers: Sequence[str], rd: str) -> web.Response:
        """Leads on to a sign-in that ends at *rd*, by itself where there is one of *providers*, else as the person
        chooses, and takes along what the address says behind ``#``."""
        values = {"providers": providers, "rd": rd if "#" in rd else f"{rd}#", "asset": self._assets.address}
        return self._page(request, "sign_in.html", values, policy=_SCRIPTS + self._policy + "'none'")

    def sign_out(self, request: Request) -> web.Response:
        """One button."""
        return self._page(request, "sign_out.html", {})

    def signed_out(self, request: Request) -> web.Response:
        """That it is done."""
        return self._page(request, "signed_out.html", {})

    def switch(self, request: Request, present: Identity, other: Identity, sealed: str, path: str) -> web.Response:
        """Returns the page that asks whether the browser, signed in as *present*, becomes *other*. *sealed* is sent
        back if so; *path* is where to go if not. A portal that embeds the watch page may show it."""
        names = [present.subject, other.subject]
        if present.subject == other.subject:
            names = [f"{one.subject} ({one.provider})" for one in (present, other)]
        values = {"present": names[0], "other": names[1], "sealed": sealed, "path": path}
        response = self._page(request, "switch.html", values, policy=self._policy + self._portals)
        # With no-referrer, browsers send "Origin: null" with the form, which is no proof of the same origin.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def reference(self, request: Request, contents: Mapping[str, Any]) -> web.Response:
        """Returns the page of the API's description. *contents* are in English; the page around them is not."""
        return self._page(request, "reference.html", {"contents": contents, "docs": self._texts(request)["docs"]})

    def recordings(self, request: Request, listed: Mapping[str, Any]) -> web.Response:
        """One page of the recordings that the person may see, with a box to search them."""
        return self._page(request, "recordings.html", {"listed": listed, "words": self._texts(request)["recordings"]})

    def recording(self, request: Request, recording: Mapping[str, Any]) -> web.Response:
        """The watch page: every video of the recording that the person may see."""
        texts = self._languages["en"]["watch"] | self._texts(request).get("watch", {})
        asset, modules = self._assets.address, self._assets.modules()
        values = {"recording": recording, "watch": texts, "modules": modules, "asset": asset}
        # A redirect is followed only where the policy lets it lead.
        media = " ".join(["'self'", *(self._media if recording["delivery"] == "redirect" else ())])
        policy = self._policy.replace("media-src 'self'", f"media-src {media}").replace("style-src", "style-src 'self'")
        policy = f"{_SCRIPTS}connect-src 'self'; {policy}{self._frame_ancestors}"
        return self._page(request, "recording.html", values, policy=policy)

    def _page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
        policy: str = "",
    ) -> web.Response:
        language = self._language(request)
        text = self._templates.get_template(template).render(
            self._constants,
            **values,
            language=language,
            page=self._languages[language]["page"],
            embedded=is_embedded(request),
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
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                "Vary": "Accept, Accept-Language, Sec-Fetch-Mode",
            },
        )

    def _texts(self, request: Request) -> Mapping[str, Any]:
        return self._languages[self._language(request)]

    def _language(self, request: Request) -> str:
        """The first of Accept-Language that there is a file for; browsers send them in order of preference."""
        for part in request.headers.get("Accept-Language", "").split(",")[:16]:
            primary = part.split(";")[0].strip().lower().split("-")[0]
            if primary in self._languages:
                return primary
        return "en"


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC of Unix *seconds*."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
