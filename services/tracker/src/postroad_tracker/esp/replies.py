"""Replies: which message is answered, and whether a person answered (RFC 3834, RFC 5322, what programs do besides)."""

import re
from collections.abc import Mapping
from typing import Final

from postroad_tracker.esp.reading import MAX_REFERENCES

_MESSAGE_ID: Final = re.compile(r"<([^<>\s]{3,200})>")
_SET_BY_PROGRAMS: Final = ("x-autoreply", "x-autorespond", "x-auto-response-suppress", "x-failed-recipients")
_PRECEDENCE: Final = frozenset({"auto_reply", "bulk", "junk", "list"})
_SUBJECT: Final = re.compile(
    r"\s*(?:auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office|away from (?:the )?office|on vacation"
    r"|abwesenheitsnotiz|automatische antwort|abwesend|r[ée]ponse automatique|absence du bureau|respuesta autom[áa]tica"
    r"|fuera de (?:la )?oficina|risposta automatica|fuori sede|resposta autom[áa]tica|fora do escrit[óo]rio"
    r"|automatisch antwoord|autosvar|automatisk svar|automaattinen vastaus|automatyczna odpowied[źz]"
    r"|автоматический ответ|автоответ|自动回复|自動回覆|自動返信|不在通知|자동 회신)",
    re.IGNORECASE,
)


def is_automatic(headers: Mapping[str, str], subject: str) -> bool:
    """Whether a program wrote it. Header names are lower case. When in doubt it is a person: a stop too many."""
    if headers.get("auto-submitted", "no").split(";")[0].strip().lower() != "no":
        return True
    if any(name in headers for name in _SET_BY_PROGRAMS):
        return True
    if headers.get("precedence", "").strip().lower() in _PRECEDENCE:
        return True
    if headers.get("return-path", "").strip() == "<>":
        return True
    if headers.get("content-type", "").strip().lower().startswith("multipart/report"):
        return True
    return _SUBJECT.match(subject) is not None


def answered_message_ids(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The Message-IDs that the mail answers, without brackets: In-Reply-To, then References from the nearest."""
    near = _MESSAGE_ID.findall(headers.get("in-reply-to", ""))
    far = reversed(_MESSAGE_ID.findall(headers.get("references", "")))
    return tuple(dict.fromkeys([*near, *far]))[:MAX_REFERENCES]
