"""What replies mean: the table of smtp/classify.py by example."""

import pytest

from postroad_engine.facts import Outcome
from postroad_engine.reasons import BounceType
from postroad_sender.smtp.classify import TABLE, Meaning, Pause, judge, meaning, why_unreachable
from postroad_sender.smtp.dial import DialFailure
from postroad_sender.smtp.replies import Answered, Lost, Phase, Unfit, parse_reply

M = Meaning
RCPT, DATA, MESSAGE, MAIL = Phase.RCPT, Phase.DATA, Phase.MESSAGE, Phase.MAIL

CASES = [
    (MESSAGE, "250 2.0.0 Ok: queued as 4F2", M.ACCEPTED),
    (MESSAGE, "250 ok", M.ACCEPTED),
    (MESSAGE, "354 go ahead", M.UNCLEAR),
    # The address is dead.
    (RCPT, "550 5.1.1 <x@y.example>: Recipient address rejected: User unknown", M.DEAD_ADDRESS),
    (RCPT, "550 5.1.2 bad destination system", M.DEAD_ADDRESS),
    (RCPT, "553 5.1.3 syntax", M.DEAD_ADDRESS),
    (RCPT, "551 5.1.6 moved", M.DEAD_ADDRESS),
    (RCPT, "556 5.1.10 null MX", M.DEAD_ADDRESS),
    (RCPT, "550 5.2.1 mailbox disabled", M.DEAD_ADDRESS),
    (MESSAGE, "550 5.1.1 no such user", M.DEAD_ADDRESS),
    (RCPT, "550 user unknown", M.DEAD_ADDRESS),
    (RCPT, "550 No such user here", M.DEAD_ADDRESS),
    (RCPT, "550 Requested action not taken: mailbox unavailable", M.DEAD_ADDRESS),
    (RCPT, "554 delivery error: dd This user doesn't have a yahoo.com account: invalid mailbox", M.DEAD_ADDRESS),
    (RCPT, "550 sorry, no mailbox here by that name", M.DEAD_ADDRESS),
    # It is there but takes nothing now.
    (RCPT, "452 4.2.2 mailbox full", M.MAILBOX_FULL),
    (RCPT, "552 5.2.2 mailbox full", M.MAILBOX_FULL),
    (MESSAGE, "552 5.2.2 over quota", M.MAILBOX_FULL),
    (RCPT, "552 storage allocation", M.MAILBOX_FULL),
    (RCPT, "550 mailbox quota exceeded", M.MAILBOX_FULL),
    # Try again.
    (RCPT, "450 4.2.0 greylisted", M.LATER),
    (RCPT, "451 4.7.1 greylisted, try later", M.LATER),
    (RCPT, "421 4.7.0 too many errors", M.LATER),
    (MESSAGE, "421 4.3.2 shutting down", M.LATER),
    (MESSAGE, "451 local error", M.LATER),
    (RCPT, "450 4.1.1 unverified address", M.LATER),
    (DATA, "250 what", M.LATER),
    (MAIL, "451 try later", M.LATER),
    # The message itself.
    (MESSAGE, "552 too big", M.REFUSED),
    (MAIL, "552 5.3.4 size", M.REFUSED),
    (MESSAGE, "554 5.6.0 content", M.REFUSED),
    (MESSAGE, "554 transaction failed", M.REFUSED),
    (RCPT, "550 5.7.1 relaying denied", M.REFUSED),
    (RCPT, "550 blocked by our blacklist: user unknown to us", M.REFUSED),
    (RCPT, "550 no", M.REFUSED),
    (RCPT, "500 what", M.REFUSED),
    # Us, not the contact.
    (MESSAGE, "550 5.7.26 unauthenticated email from post.example is not accepted", M.POLICY),
    (MESSAGE, "550 5.7.515 Access denied, sending domain does not meet the required authentication level", M.POLICY),
    (MESSAGE, "554 5.7.9 message not accepted for policy reasons", M.POLICY),
    (MAIL, "530 5.7.0 must issue STARTTLS first", M.CREDENTIALS),
    (MAIL, "535 5.7.8 authentication failed", M.CREDENTIALS),
    (RCPT, "534 5.7.9 mechanism too weak", M.POLICY),
    (MAIL, "550 5.7.1 sender not verified", M.CREDENTIALS),
    (MAIL, "553 sorry, that domain is not yours", M.CREDENTIALS),
    (MESSAGE, "454 Throttling failure: Maximum sending rate exceeded.", M.THROTTLED),
    (Phase.AUTH, "454 4.7.0 Temporary authentication failure", M.CREDENTIALS),
]  # fmt: skip


@pytest.mark.parametrize(("phase", "line", "expected"), CASES, ids=[f"{p}: {line[:30]}" for p, line, _ in CASES])
def test_reply_means(phase: Phase, line: str, expected: Meaning) -> None:
    assert meaning(phase, parse_reply([line.encode()])) is expected


def test_every_code_in_every_phase_means_something_and_only_the_final_dot_can_accept() -> None:
    for phase in (MAIL, RCPT, DATA, MESSAGE):
        for code in range(200, 600):
            said = meaning(phase, parse_reply([f"{code} x".encode()]))
            assert (said is M.ACCEPTED) == (phase is MESSAGE and code < 300)
            if code >= 400:
                assert said is not M.UNCLEAR, "a definite refusal is never unknown"


def test_no_row_of_the_table_is_dead() -> None:
    hit = {
        next(i for i, rule in enumerate(TABLE) if rule.fits(p, parse_reply([line.encode()]))) for p, line, _ in CASES
    }
    assert sorted(set(range(len(TABLE))) - hit) == []


def test_dead_address_is_a_hard_bounce_and_policy_never_blames_the_contact() -> None:
    hard = judge(Answered(RCPT, parse_reply([b"550 5.1.1 no such user"])))
    assert (hard.outcome, hard.bounce_type, hard.address_is_dead) == (Outcome.REFUSED, BounceType.HARD, True)
    assert hard.reasons[0].sentence() == "The mail server answered: 550 5.1.1 no such user"
    policy = judge(Answered(MESSAGE, parse_reply([b"550 5.7.26 unauthenticated"])))
    assert (policy.outcome, policy.pause, policy.address_is_dead) == (Outcome.HELD, Pause.POLICY, False)
    refused = judge(Answered(RCPT, parse_reply([b"550 5.7.1 spam"])))
    assert (refused.outcome, refused.bounce_type, refused.address_is_dead) == (
        Outcome.REFUSED, BounceType.UNDETERMINED, False,
    )  # fmt: skip


def test_lost_before_the_dot_may_be_tried_again_and_lost_after_it_is_unknown() -> None:
    assert judge(Lost(RCPT, dot_written=False, why="reset")).outcome is Outcome.DEFERRED
    assert judge(Lost(MESSAGE, dot_written=True, why="reset")).outcome is Outcome.UNKNOWN
    assert judge(Answered(MESSAGE, parse_reply([b"354 again"]))).outcome is Outcome.UNKNOWN


def test_message_that_does_not_fit_is_held_for_a_person() -> None:
    judgement = judge(Unfit("the message has 9 bytes and the server takes 5"))
    assert judgement.outcome is Outcome.HELD
    assert "the server takes 5" in judgement.reasons[0].sentence()


@pytest.mark.parametrize(
    ("failure", "pause"),
    [
        (DialFailure(Phase.CONNECT, None, "refused"), Pause.OUTAGE),
        (DialFailure(Phase.GREETING, parse_reply([b"421 busy"]), "busy"), Pause.OUTAGE),
        (DialFailure(Phase.GREETING, parse_reply([b"554 5.7.1 blocked"]), "blocked"), Pause.POLICY),
        (DialFailure(Phase.AUTH, parse_reply([b"535 5.7.8 no"]), "no"), Pause.CREDENTIALS),
        (DialFailure(Phase.AUTH, parse_reply([b"454 4.7.0 later"]), "later"), Pause.CREDENTIALS),
        (DialFailure(Phase.TLS, None, "certificate verify failed"), Pause.CREDENTIALS),
    ],
)
def test_failed_dial_rests_the_sender(failure: DialFailure, pause: Pause) -> None:
    assert why_unreachable(failure)[0] is pause


def test_multi_line_reply_is_one_text_without_its_statuses() -> None:
    reply = parse_reply([b"550-5.1.1 The account", b"550-5.1.1 does not exist.", b"550 5.1.1 Bye\0"])
    assert (reply.code, reply.status, reply.text) == (550, "5.1.1", "The account\ndoes not exist.\nBye")


def test_queue_id_is_read_from_the_reply() -> None:
    assert parse_reply([b"250 Ok: queued as rZXp9GS3QbWqG1mEFQDQAw"]).queue_id == "rZXp9GS3QbWqG1mEFQDQAw"
    assert parse_reply([b"250 2.0.0 OK"]).queue_id is None


@pytest.mark.parametrize("line", [b"", b"25", b"abc hello", b"199 x", b"600 x"])
def test_what_is_no_reply_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a reply"):
        parse_reply([line])
