"""The kinds of jobs."""

from collections.abc import Mapping
from typing import Final

from postroad_sequence_api.jobs import bulk_enroll, contact_erase, contact_export, contact_import
from postroad_sequence_api.jobs.runner import Kind

KINDS: Final[Mapping[str, Kind]] = {
    "import": contact_import.KIND,
    "enroll": bulk_enroll.KIND,
    "export": contact_export.KIND,
    "erase": contact_erase.KIND,
}
