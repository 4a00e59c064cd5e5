"""Sending what is to be told, and trying again what did not arrive."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

from pgproof.domain.alert_rule import AlertRule, rule_for
from pgproof.domain.alert_text import body, title, urgent
from pgproof.domain.errors import NotificationFailed
from pgproof.domain.secret import LostSecret, Secret
from pgproof.services.ports import Clock
from pgproof.services.ports.alerts import AlertRecords, Notice, Notifier

_AT_ONCE = 1000
_CLAIMED = timedelta(minutes=10)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)
_STALE = timedelta(days=1)
_MOST_ATTEMPTS = 24  # which takes most of a day
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """What became of a message to one target, whose name holds no secret; `problem` is ``None`` if it arrived."""

    target: str
    problem: NotificationFailed | None = None


class Telling:
    """Sends notices to `urls` and to those of the rules. Several processes may do so: each notice is one's."""

    def __init__(
        self, records: AlertRecords, notifier: Notifier, clock: Clock, urls: Sequence[Secret], place: str
    ) -> None:
        self._records = records
        self._notifier = notifier
        self._clock = clock
        self._urls = tuple(urls)
        self._place = place

    def knows_somebody(self, rules: Sequence[AlertRule]) -> bool:
        """Whether there is any URL."""
        return bool(self._urls) or any(rule.urls for rule in rules)

    def deliver(self) -> int:
        """Send what is due, in one message for each target; the number of notices that all their targets have now."""
        now, rules = self._clock.now(), self._records.list_rules()
        if not self.knows_somebody(rules):
            return 0  # another process may know whom to tell
        notices = self._records.claim_notices(now, now + _CLAIMED, _AT_ONCE)
        stale = [one for one in notices if not one.attempts and now - one.created_at > _STALE]
        for notice in stale:
            self._records.settle_notice(notice, sent_at=None, next_at=None, problem="nobody was to be told in time")
        notices = [one for one in notices if one not in stale]
        targets = {notice.id: self._urls_for(notice, rules) for notice in notices}
        for url in dict.fromkeys(url for urls in targets.values() for url in urls):
            notices = self._send(url, notices, targets)
        return sum([self._settle(notice, targets[notice.id]) for notice in notices])

    def test(self, urls: Sequence[Secret]) -> Sequence[Delivery]:
        """Send a message to each of these, or to those of the settings, and tell what became of it."""
        text = f"This is a test: whoever reads it will be told of alerts.\n\nBackups in {self._place}"
        return [self._try(url, "pgproof: test", text, urgent=False) for url in urls or self._urls]

    def _urls_for(self, notice: Notice, rules: Sequence[AlertRule]) -> Sequence[Secret]:
        key = notice.news.alert.key
        rule = rule_for(rules, key.database)
        if not rule.wants(key, notice.news.occasion):
            return ()
        return [url for url in dict.fromkeys((*self._urls, *rule.urls)) if _mark(url) not in notice.delivered]

    def _send(
        self, url: Secret, notices: Sequence[Notice], targets: Mapping[int, Sequence[Secret]]
    ) -> Sequence[Notice]:
        meant = {notice.id for notice in notices if url in targets[notice.id]}
        news = [notice.news for notice in notices if notice.id in meant]
        done = self._try(url, title(news), body(news, self._place), urgent=urgent(news))
        if done.problem is not None:
            _log.warning("a notification did not reach %s: %s", done.target, done.problem.detail)
            return notices
        mark = frozenset({_mark(url)})
        return [
            replace(notice, delivered=notice.delivered | mark) if notice.id in meant else notice for notice in notices
        ]

    def _try(self, url: Secret, heading: str, text: str, *, urgent: bool) -> Delivery:
        if isinstance(url, LostSecret):
            said = "it was sealed with another secret key"
            return Delivery(shown(url), NotificationFailed(said, hint="Store it anew: pgproof notify set-rule"))
        try:
            self._notifier.send(url, heading, text, urgent=urgent)
        except NotificationFailed as error:
            return Delivery(shown(url), error)
        return Delivery(shown(url))

    def _settle(self, notice: Notice, targets: Sequence[Secret]) -> bool:
        """Keep what became of a notice; whether all its targets have it."""
        now = self._clock.now()
        missing = [shown(url) for url in targets if _mark(url) not in notice.delivered]
        if not missing:
            self._records.settle_notice(notice, sent_at=now, next_at=None, problem="")
            return True
        failed = replace(notice, attempts=notice.attempts + 1)
        problem = f"not delivered to {', '.join(missing)}"
        again = failed.attempts < _MOST_ATTEMPTS
        if not again:
            _log.error("a notification was given up: %s: %s", problem, notice.news.alert.summary)
        next_at = now + _pause(failed.attempts) if again else None
        self._records.settle_notice(failed, sent_at=None, next_at=next_at, problem=problem)
        return False


def shown(url: Secret) -> str:
    """A target without its secrets, which may stand anywhere behind the scheme."""
    if isinstance(url, LostSecret):
        return "a URL that cannot be opened"
    return f"{url.reveal().partition('://')[0]}://***"


def _mark(url: Secret) -> str:
    """What tells a target from another in the catalog, where the URL itself must not stand."""
    if isinstance(url, LostSecret):
        return "lost"
    return sha256(url.reveal().encode()).hexdigest()[:16]


def _pause(attempts: int) -> timedelta:
    pause = _FIRST_PAUSE
    for _ in range(attempts - 1):
        pause = min(pause * 2, _LONGEST_PAUSE)
    return pause
