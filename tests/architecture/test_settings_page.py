"""docs/settings.md is what the code says."""

from pathlib import Path

from postroad_common.settings_page import load, page

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
SERVICES = (
    "postroad_sequence_api.settings:SequenceApiSettings",
    "postroad_scheduler.settings:SchedulerSettings",
    "postroad_sender.settings:SenderSettings",
    "postroad_tracker.settings:TrackerSettings",
)


def test_the_settings_page_is_up_to_date() -> None:
    assert DOCS.read_text() == page(load(path) for path in SERVICES), (
        f"write it anew: python -m postroad_common.settings_page {' '.join(SERVICES)} > docs/settings.md"
    )


def test_every_setting_says_what_it_means() -> None:
    for path in SERVICES:
        undescribed = [name for name, info in load(path).model_fields.items() if not info.description]
        assert undescribed == [], path
