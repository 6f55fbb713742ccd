"""The errors of the tracker. Those a client sees carry their HTTP rendering."""


class TrackerError(Exception):
    """Anything that the tracker refuses."""


class UnreadableBodyError(TrackerError):
    """The body of a webhook is not of its provider's form at all."""


class UnreadableElementError(TrackerError):
    """One element of a webhook cannot be read; the text says which field and why."""


class StoreUnavailableError(TrackerError):
    """Nothing is known to have been stored: the database is away, or more waits than may wait."""
