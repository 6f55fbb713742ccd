"""The errors of the broker, and the two answers a handler may raise."""

from datetime import timedelta

from postroad_common.errors import CommonError


class AmqpError(CommonError):
    """Anything that goes wrong with the broker."""


class PublishError(AmqpError):
    """The broker did not confirm in time, or at all. The message may still arrive: publish it again, same id."""


class UnroutableError(PublishError):
    """No queue is bound for the message's type: the broker gave it back."""


class Retry(Exception):  # noqa: N818 - an answer of a handler, not a fault
    """Give me this message again later; not counted as a fault. For what heals by itself."""

    def __init__(self, reason: str, delay: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


class Poison(Exception):  # noqa: N818 - an answer of a handler, not a fault
    """No attempt at this message can succeed: park it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
