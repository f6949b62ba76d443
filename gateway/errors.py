"""One hierarchy of errors. A class knows its *code*; the table from class to HTTP status is in web.errors.

The message is for the operator's log: it says what went wrong and never holds a secret or a URL. *detail* is the text
for the person at the browser or the developer of a script.
"""

from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    """The base of every error that is rendered as a response."""

    code: ClassVar[str] = "internal"
    detail: ClassVar[str] = "An internal error occurred. The request id helps an operator to find the cause in the log."
    page: ClassVar[str] = ""
    """The key of the page's texts, if it differs from the code."""
    retry_after: float | None = None
    """Seconds after which the client may try again, or None."""
    sign_in_rd: str = ""
    """After a sign-in that failed: the path to which it was to lead. The page links to it and to a new sign-in."""

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        if retry_after is not None:
            self.retry_after = retry_after


class BadRequestError(GatewayError):
    """The request is malformed or ambiguous."""

    code = "bad_request"
    detail = "The server cannot interpret this request."


class HeadersTooLargeError(GatewayError):
    """A line or the whole head of the request exceeds the limit."""

    code = "headers_too_large"
    detail = "The request's headers are too large."


class RequestLineTooLongError(HeadersTooLargeError):
    """The request line exceeds the limit, so that no cookie is the cause."""

    page = "link_too_long"


class RequestTimeoutError(GatewayError):
    """The head or the body of the request did not arrive within ``limits.request_timeout``."""

    code = "request_timeout"
    detail = "The request did not arrive in time."


class MisdirectedRequestError(GatewayError):
    """The request is for an authority that this listener does not serve (RFC 9110, section 15.5.20)."""

    code = "misdirected_request"
    detail = "The request is for another server."


class MethodNotAllowedError(GatewayError):
    """The address exists and does not support the method."""

    code = "method_not_allowed"
    detail = "This address does not support the request's method."

    def __init__(self, *, allowed: Sequence[str] = ()) -> None:
        super().__init__()
        self.allowed = allowed
        """The methods that the address supports."""


class NotFoundError(GatewayError):
    """There is no such address."""

    code = "not_found"
    detail = "There is no such page."


class InvalidVideoError(NotFoundError):
    """The id has not the form of a VALT id; VALT is not asked."""

    code = "video_invalid"
    detail = "The link does not lead to a recording. It may have been truncated when it was copied."


class VideoNotFoundError(NotFoundError):
    """VALT or its media server answered 404."""

    code = "video_not_found"
    detail = "VALT has no such video. It may have been deleted, or it may not be ready yet."


class RecordingExpiredError(GatewayError):
    """The recording's ``retention.until`` has passed."""

    code = "recording_expired"
    detail = "The recording's retention time is over. VALT has deleted it or will delete it soon."


class MissingCredentialsError(GatewayError):
    """The request has no credentials."""

    code = "credentials_missing"
    detail = "The request has no credentials. Open the recording from your portal or sign in."


class InvalidCredentialsError(GatewayError):
    """The request has credentials, and they are not valid. No other authenticator is tried."""

    code = "credentials_invalid"
    detail = "Your credentials are not valid, or no longer valid. Open the recording from your portal again."


class OutOfTimeError(InvalidCredentialsError):
    """The credentials have expired or are not valid yet; perhaps a clock is wrong."""


class SignInFailedError(InvalidCredentialsError):
    """The provider's response does not belong to a sign-in that this browser started, or is not valid."""

    detail = "Signing in did not work. Open the recording's link again."
    page = "sign_in_failed"


class SignInDeclinedError(SignInFailedError):
    """The provider's response is an error that the person caused or can repair by another sign-in."""

    detail = "The sign-in service did not sign you in. Sign in again."
    page = "sign_in_declined"


class SignInForgottenError(SignInFailedError):
    """The browser sent no cookie of a sign-in: it blocks cookies, took too long, or started at another address."""

    detail = "The browser did not send the cookie of the sign-in. Allow cookies for this site and sign in again."
    page = "sign_in_forgotten"


class SignInClockError(SignInFailedError):
    """The provider's token is expired or not yet valid by our clock."""

    detail = "The sign-in service's clock and this server's do not agree."
    page = "sign_in_clock"


class SignInCirclesError(SignInFailedError):
    """Three sign-ins within a minute: the session cookie is not accepted."""

    detail = "You were signed in several times in a row, but your browser or this server did not accept the session."
    page = "sign_in_circles"


class IdentityProviderError(GatewayError):
    """The credentials could not be verified: the provider's keys or endpoints cannot be reached."""

    code = "identity_provider"
    detail = "The sign-in service cannot be reached at the moment. Try again in a little while."
    retry_after = 10.0


class AccessDeniedError(GatewayError):
    """The identity is established, and no rule allows the request."""

    code = "access_denied"
    detail = "You are signed in, but no rule allows you to see this recording."


class GroupsElsewhereError(AccessDeniedError):
    """The token does not list the person's groups and refers to another service for them."""

    detail = "Your account is in so many groups that the sign-in service does not list them. An operator can help."
    page = "groups_elsewhere"


class TooManyGroupsError(AccessDeniedError):
    """The person is in more groups that rules name than a session or a token has room for."""

    detail = "Your account is in more groups than this service can remember. An operator can help."
    page = "groups_too_many"


class TooManyRequestsError(GatewayError):
    """A limit per person or per address is reached."""

    code = "too_many_requests"
    detail = "Too many requests, or too many videos open at once. Close some, or try again in a little while."
    retry_after = 5.0


class BusyError(GatewayError):
    """A limit of the whole process is reached, or the audit cannot be written."""

    code = "busy"
    detail = "The server is busy. Try again in a little while."
    retry_after = 5.0


class ValtError(GatewayError):
    """VALT gave no usable response."""

    code = "valt_response"
    detail = "VALT, the recording system, sent a response that the gateway cannot use."


class ValtUnavailableError(ValtError):
    """VALT cannot be reached, or answered 5xx."""

    code = "valt_unavailable"
    detail = "VALT, the recording system, cannot be reached at the moment. Try again in a little while."
    retry_after = 10.0


class CircuitOpenError(ValtUnavailableError):
    """The circuit breaker is open: VALT is not asked for *retry_after* seconds."""


class ValtTimeoutError(ValtError):
    """VALT or its media server did not answer in time."""

    code = "valt_timeout"
    detail = "VALT, the recording system, did not answer in time. Try again in a little while."


class ValtResponseError(ValtError):
    """VALT's response does not follow its API, or is 403."""


class CallRefusedError(ValtResponseError):
    """VALT accepts the account and refuses one call to it: 403, or 401 to a new access token too."""


class ValtLoginError(ValtError):
    """VALT refused the login of the gateway's account."""

    code = "valt_login"
    detail = "VALT, the recording system, refused the gateway's login. An operator must correct the configuration."


class LinkRefusedError(ValtError):
    """VALT's link names a host that is not allowed; no request was sent to it."""

    code = "link_refused"
    detail = "VALT, the recording system, sent a link to a host that is not allowed."


class AccessTokenRefusedError(ValtError):
    """VALT answered 401 to an access token. valt.tokens logs in once more; not raised outside valt."""
