"""Settings: read from the environment, typos stopped, secrets never shown."""

import base64

import pytest
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from postroad_common.errors import SettingsError
from postroad_common.settings import CommonSettings, LinkSettings, load_settings
from postroad_common.settings_page import page

KEYS = "k1:" + base64.b64encode(bytes(range(32))).decode()


class BakerSettings(CommonSettings):
    """A service for this test."""

    model_config = SettingsConfigDict(env_prefix="POSTROAD_BAKER_")

    ovens: int = Field(default=3, ge=1, description="How many ovens.")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The required settings and no other."""
    for name in ("DATABASE_URL", "AMQP_URL", "SECRET_KEYS"):
        monkeypatch.delenv(f"POSTROAD_{name}", raising=False)
    monkeypatch.setenv("POSTROAD_DATABASE_URL", "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("POSTROAD_AMQP_URL", "amqp://u:hunter2@h/v")
    monkeypatch.setenv("POSTROAD_SECRET_KEYS", KEYS)
    return monkeypatch


def test_common_and_own_settings_are_read_under_their_names(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("POSTROAD_LOG_LEVEL", "debug")
    environment.setenv("POSTROAD_BAKER_OVENS", "7")

    settings = load_settings(BakerSettings)

    assert (settings.log_level, settings.ovens) == ("debug", 7)
    assert settings.database_url.get_secret_value() == "postgresql://u:hunter2@h/d"


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("POSTROAD_BAKER_OVNES", "POSTROAD_BAKER_OVENS"),
        ("POSTROAD_LOGLEVEL", "POSTROAD_LOG_LEVEL"),
        ("POSTROAD_HTTP_PROT", "POSTROAD_HTTP_PORT"),
        ("POSTROAD_BAKER_LOG_LEVEL", "POSTROAD_LOG_LEVEL"),
    ],
)
def test_a_typo_stops_the_start_and_names_what_was_meant(
    environment: pytest.MonkeyPatch, typo: str, meant: str
) -> None:
    environment.setenv(typo, "7")

    with pytest.raises(SettingsError, match=f"{typo} is not a setting: did you mean {meant}"):
        load_settings(BakerSettings)


def test_the_settings_of_other_programs_are_not_ours_to_judge(environment: pytest.MonkeyPatch) -> None:
    for name in ("POSTROAD_SENDER_PREFETCH", "POSTROAD_URL", "POSTROAD_API_KEY", "POSTROAD_STACK", "OTHER"):
        environment.setenv(name, "x")

    load_settings(BakerSettings)


def test_all_that_is_wrong_is_said_at_once_and_no_value_is_shown(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("POSTROAD_AMQP_URL")
    environment.setenv("POSTROAD_BAKER_OVENS", "hunter2")
    environment.setenv("POSTROAD_SECRET_KEYS", "k1:hunter2")

    with pytest.raises(SettingsError) as refused:
        load_settings(BakerSettings)

    said = str(refused.value)
    for part in ("POSTROAD_AMQP_URL: is required", "POSTROAD_BAKER_OVENS: Input should be", "POSTROAD_SECRET_KEYS: "):
        assert part in said
    assert "hunter2" not in said
    assert refused.value.__cause__ is None


def test_secrets_are_not_in_what_is_printed() -> None:
    settings = load_settings(BakerSettings)

    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert "hunter2" not in shown
    assert KEYS[3:] not in shown


def test_settings_do_not_change() -> None:
    settings = load_settings(BakerSettings)
    with pytest.raises(ValidationError):
        settings.ovens = 4  # type: ignore[misc]  # what must fail


@pytest.mark.parametrize(
    "url",
    [
        "",
        "track.example",
        "ftp://track.example",
        "https://",
        "https://u:p@track.example",
        "https://t.example/?a",
        "https://t.example:99999",
        "https://t.example\n",
        "https://t.example/ ",
        " https://t.example",
        "https://träck.example",
        "https://:p@t.example",
        "https://t.example/<x>",
    ],
)
def test_what_is_no_base_url_of_the_tracker_stops_the_start(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("POSTROAD_TRACKING_URL", url)

    with pytest.raises(SettingsError, match="POSTROAD_TRACKING_URL"):
        load_settings(LinkSettings)


def test_the_tracker_s_base_url_loses_its_last_slash_and_keeps_its_path(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("POSTROAD_TRACKING_URL", "https://track.example:8443/t/")

    assert load_settings(LinkSettings).tracking_url == "https://track.example:8443/t"


def test_the_page_names_every_setting_with_its_default_and_meaning() -> None:
    text = page([BakerSettings])

    assert "| `POSTROAD_BAKER_OVENS` | `3` | How many ovens. |" in text
    assert "| `POSTROAD_DATABASE_URL` | (required) |" in text
    assert text.count("POSTROAD_DATABASE_URL") == 1
