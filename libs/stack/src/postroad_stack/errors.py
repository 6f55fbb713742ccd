"""What can go wrong while servers are looked for, started or stopped."""


class StackError(Exception):
    """Base of this package's errors; its text is meant for the person at the terminal."""


class NothingFoundError(StackError):
    """No way to real servers on this machine; the text says what to install."""


class WayUnavailableError(StackError):
    """The way that `POSTROAD_STACK` asks for cannot be used here."""


class NoEngineError(WayUnavailableError):
    """No Docker engine answers, which is normal."""


class InstallError(StackError):
    """apt could not install the server programs."""


class StartError(StackError):
    """A server or process did not come up; the text ends with the tail of its log."""


class NotOursError(StackError):
    """The server was given by its address: we neither kill, restart nor reconfigure it."""
