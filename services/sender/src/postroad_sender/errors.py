"""What can go wrong in the sender and is not an outcome."""


class SenderError(Exception):
    """Base of this package's errors."""


class ConnectionEndedError(SenderError):
    """The SMTP connection is over; the text says how."""


class HeaderError(SenderError):
    """A value that must not stand in a header or an envelope; the text names the field and the reason."""


class UnreadableItemError(SenderError):
    """An item names rows that do not exist: nothing to settle, so it takes the ladder and is parked for a person."""
