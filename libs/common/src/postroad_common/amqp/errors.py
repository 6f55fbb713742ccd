"""The errors of the broker, and the two answers a handler may raise."""

from datetime import timedelta
from typing import Final

from aiormq.exceptions import AMQPError, ChannelInvalidStateError

from postroad_common.errors import CommonError

CONNECTION_ERRORS: Final = (AMQPError, ChannelInvalidStateError, OSError, EOFError)
"""What the protocol library raises when a connection or a channel is gone or refuses; time-outs included."""


class BrokerError(CommonError):
    """Anything that goes wrong with the broker."""


class BrokerUnavailableError(BrokerError):
    """No connection within the time given."""


class TopologyError(BrokerError):
    """A queue or the exchange exists with other arguments than this build declares."""


class PublishError(BrokerError):
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
