"""Webhook sources: where an ESP reports to, and how we know that it is the ESP."""

from base64 import b64decode
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from postroad_sequence_api.models.base import Body, View
from postroad_sequence_api.models.fields import Name, Secret, said

WebhookEsp = Literal["sendgrid", "postmark"]


def verification_key(value: str) -> str:
    """A SendGrid verification key: base64 of a DER SubjectPublicKeyInfo on P-256."""
    try:
        key = load_der_public_key(b64decode(value, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("must be the verification key as the ESP shows it: base64 of a DER public key") from error
    if not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise ValueError("must be a key on the curve P-256")  # noqa: TRY004 - pydantic reports ValueErrors only
    return value


PublicKey = Annotated[str, Field(max_length=500), AfterValidator(verification_key)]


class Credentials(Body):
    """Name and password of HTTP basic authentication."""

    username: Annotated[Name, Field(pattern="^[^:]+$")]
    password: Annotated[Name, said(format="password")]


class CredentialsShown(View):
    """Name and password with which the ESP is to log in."""

    username: str
    password: Secret


class WebhookSourceNew(Body):
    """A webhook source to add.

    sendgrid signs what it posts: give its public keys. postmark logs in: credentials are made when none are given.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Postmark", "esp": "postmark"}]})

    name: Name
    esp: WebhookEsp
    public_keys: Annotated[tuple[PublicKey, ...], Field(min_length=1, max_length=5)] | None = None
    credentials: Annotated[tuple[Credentials, ...], Field(min_length=1, max_length=5)] | None = None

    @model_validator(mode="after")
    def _secrets_fit_the_esp(self) -> Self:
        match self.esp:
            case "sendgrid" if self.public_keys is None or self.credentials is not None:
                raise ValueError("sendgrid takes public_keys, and no credentials")
            case "postmark" if self.public_keys is not None:
                raise ValueError("postmark takes credentials, and no public_keys")
            case _:
                return self


class WebhookSource(View):
    """A webhook source; url is what the ESP is to post to."""

    id: UUID
    name: str
    esp: WebhookEsp
    url: Annotated[str, Field(examples=["https://track.example.com/webhooks/postmark/AZqeLHwff5uba"])]
    """What the ESP is to post to."""
    created_at: datetime


class WebhookSourceMade(WebhookSource):
    """A webhook source, its credentials shown this once."""

    credentials: tuple[CredentialsShown, ...] | None


class WebhookSourceList(View):
    """All webhook sources of a tenant."""

    items: tuple[WebhookSource, ...]
    next: None = None
