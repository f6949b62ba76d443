"""One hierarchy of errors. A class knows its *code*, never its status: that is chosen once, in web.errors.

The message is for the operator's log and may say what went wrong, but never holds a secret or a URL.
*detail* is what a person may read.
"""

from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    """Anything that ends a request with an answer of ours."""

    code: ClassVar[str] = "internal"
    detail: ClassVar[str] = "Something went wrong here. The request id below helps an operator to find out what."
    page: ClassVar[str] = ""
    """The page's texts, where they are not those of the code."""
    retry_after: float | None = None
    """Seconds after which asking again makes sense, where it does."""

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        if retry_after is not None:
            self.retry_after = retry_after


class BadRequestError(GatewayError):
    code = "bad_request"
    detail = "The request is not one this server understands."


class HeadersTooLargeError(GatewayError):
    code = "headers_too_large"
    detail = "The request's headers are too large."


class MethodNotAllowedError(GatewayError):
    code = "method_not_allowed"
    detail = "This address does not answer to that method."

    def __init__(self, *, allowed: Sequence[str] = ()) -> None:
        super().__init__()
        self.allowed = allowed
        """The methods that it answers to."""


class NotFoundError(GatewayError):
    code = "not_found"
    detail = "There is no such page."


class InvalidVideoError(NotFoundError):
    """The id is none that VALT could have given; VALT is not asked."""

    code = "video_invalid"
    detail = "The link is not a recording's link. It may have been cut off when it was copied."


class VideoNotFoundError(NotFoundError):
    """VALT, or its media server, knows no such video."""

    code = "video_not_found"
    detail = "VALT has no such video. It may have been deleted, or it may not be ready yet."


class RecordingExpiredError(GatewayError):
    code = "recording_expired"
    detail = "The recording's retention time is over and VALT has deleted it or is about to."


class MissingCredentialsError(GatewayError):
    code = "credentials_missing"
    detail = "Nothing in the request says who you are. Open the recording from your portal or sign in."


class InvalidCredentialsError(GatewayError):
    """Proof was offered, and it is bad. Nobody else is asked."""

    code = "credentials_invalid"
    detail = "The proof of who you are is not valid or no longer valid. Open the recording from your portal again."


class OutOfTimeError(InvalidCredentialsError):
    """The proof is no longer good, or not yet: perhaps a clock is wrong."""


class SignInFailedError(InvalidCredentialsError):
    """The provider's answer is not one to a sign-in that this browser began, or not a good one."""

    detail = "Signing in did not work. Begin again from the recording's link."
    page = "sign_in_failed"


class SignInForgottenError(SignInFailedError):
    """The browser keeps no trace of a sign-in: it blocks cookies, waited too long, or began at another address."""

    detail = "The browser did not keep the sign-in that it began. Allow cookies for this site and begin again."
    page = "sign_in_forgotten"


class SignInClockError(SignInFailedError):
    """What the provider says now is of another time by our clock."""

    detail = "The sign-in service's clock and this server's do not agree."
    page = "sign_in_clock"


class SignInCirclesError(SignInFailedError):
    """Signed in again and again within a minute: the session does not hold."""

    detail = "You were signed in several times in a row, and the session did not hold."
    page = "sign_in_circles"


class IdentityProviderError(GatewayError):
    """Could not find out who it is: the provider's keys or endpoints cannot be reached."""

    code = "identity_provider"
    detail = "The sign-in service cannot be reached at the moment. Try again in a little while."
    retry_after = 10.0


class AccessDeniedError(GatewayError):
    code = "access_denied"
    detail = "You are signed in, but no rule allows you to see this recording."


class TooManyRequestsError(GatewayError):
    code = "too_many_requests"
    detail = "There are too many requests or videos open at once. Close some, or try again in a little while."
    retry_after = 5.0


class BusyError(GatewayError):
    """We cannot take it now: a limit of the whole process, or the audit cannot be written."""

    code = "busy"
    detail = "The server is busy. Try again in a little while."
    retry_after = 5.0


class ValtError(GatewayError):
    """VALT failed us."""

    code = "valt_response"
    detail = "VALT, the recording system, gave an answer that makes no sense here."


class ValtUnavailableError(ValtError):
    code = "valt_unavailable"
    detail = "VALT, the recording system, cannot be reached at the moment. Try again in a little while."
    retry_after = 10.0


class CircuitOpenError(ValtUnavailableError):
    """VALT keeps failing and is not asked: it could not be before *retry_after*."""


class ValtTimeoutError(ValtError):
    code = "valt_timeout"
    detail = "VALT, the recording system, did not answer in time. Try again in a little while."


class ValtResponseError(ValtError):
    """VALT answered something that its API does not say, or 403."""


class ValtLoginError(ValtError):
    """VALT refused our own account."""

    code = "valt_login"
    detail = "VALT, the recording system, refused this gateway. An operator has to look at it."


class LinkRefusedError(ValtError):
    """VALT's link names a host that is not allowed; nothing was fetched."""

    code = "link_refused"
    detail = "VALT, the recording system, gave a link to a place that is not allowed here."


class AccessTokenRefusedError(ValtError):
    """VALT answered 401 to a token. Cured in valt.tokens by one new login; never seen outside valt."""

    code = "valt_response"


class LinkRejectedError(ValtError):
    """The media server answered 401 or 403: the link is stale. Cured once in delivery.proxy."""

    code = "valt_response"
