"""What people read of alerts."""

from collections.abc import Sequence

from pgproof.domain.alert import AlertKind, News, Occasion
from pgproof.domain.wording import counted, plain

_MOST = 50
_BEGINNINGS = {Occasion.BEGIN: "", Occasion.REMINDER: "still: ", Occasion.OVER: "over: "}


def title(news: Sequence[News]) -> str:
    """One line for one message."""
    if len(news) == 1:
        (one,) = news
        key = one.alert.key
        whose = f" {plain(key.database)}" if key.database else ""
        kind = AlertKind.RECOVERED if one.occasion is Occasion.OVER else key.kind
        return f"pgproof:{whose} {kind}"
    over = sum(one.occasion is Occasion.OVER for one in news)
    parts = [counted(len(news) - over, "problem")] if over < len(news) else []
    parts += [f"{over} over"] if over else []
    return f"pgproof: {', '.join(parts)}"


def body(news: Sequence[News], place: str) -> str:
    """All of them, what is wrong before what is over; `place` tells one installation from another."""
    ordered = sorted(news, key=lambda one: one.occasion is Occasion.OVER)
    paragraphs = [_paragraph(one) for one in ordered[:_MOST]]
    if len(ordered) > _MOST:
        paragraphs.append(f"And {len(ordered) - _MOST:,} more: pgproof notify list")
    return "\n\n".join([*paragraphs, f"Backups in {plain(place)}"])


def urgent(news: Sequence[News]) -> bool:
    """Whether anything is wrong."""
    return any(one.occasion is not Occasion.OVER for one in news)


def _paragraph(news: News) -> str:
    alert = news.alert
    lines = [f"{_BEGINNINGS[news.occasion]}{plain(alert.summary)}", f"since {alert.opened_at:%Y-%m-%d %H:%M} UTC"]
    if news.occasion is Occasion.OVER:
        if alert.closed_at is not None:
            lines[1] += f", until {alert.closed_at:%Y-%m-%d %H:%M} UTC"
    elif alert.hint:
        lines.append(plain(alert.hint))
    return "\n".join(lines)
