"""The providers whose webhooks the tracker takes, one file each."""

from collections.abc import Mapping
from typing import Final

from postroad_tracker.esp.model import Esp
from postroad_tracker.esp.postmark import POSTMARK
from postroad_tracker.esp.sendgrid import SENDGRID

ESPS: Final[Mapping[str, Esp]] = {esp.name: esp for esp in (SENDGRID, POSTMARK)}
