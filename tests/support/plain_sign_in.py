"""A plain model of sign-ins in several browsers, written apart from the code in the most obvious way."""

from dataclasses import dataclass, field


@dataclass
class PlainAttempt:
    """One sign-in that began."""

    browser: int
    link: str
    began_at: float


@dataclass
class PlainSignIns:
    """Every attempt by its state, the browsers that lost their cookies, and the sign-ins in a row without a session."""

    attempts: dict[str, PlainAttempt] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    completed_at: dict[int, list[float]] = field(default_factory=dict)

    def begin(self, browser: int, state: str, link: str, now: float) -> None:
        self.attempts[state] = PlainAttempt(browser, link, now)

    def lose_cookies(self, browser: int) -> None:
        """The browser forgets everything, so that none of its attempts can complete."""
        self.lost |= {state for state, attempt in self.attempts.items() if attempt.browser == browser}
        self.completed_at.pop(browser, None)

    def link_of(self, state: str) -> str | None:
        return self.attempts[state].link if state in self.attempts else None

    def may_complete(self, browser: int, state: str, now: float) -> bool:
        attempt = self.attempts.get(state)
        if attempt is None or attempt.browser != browser or state in self.lost:
            return False
        return now - attempt.began_at < 600

    def complete(self, browser: int, now: float) -> None:
        times = self.completed_at.get(browser, [])
        if times and now - times[-1] >= 60:
            times = []
        self.completed_at[browser] = [*times, now]

    def session_arrives(self, browser: int) -> None:
        self.completed_at.pop(browser, None)

    def is_loop(self, browser: int, now: float) -> bool:
        times = self.completed_at.get(browser, [])
        return len(times) >= 3 and now - times[-1] < 60
