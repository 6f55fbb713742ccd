"""Webhooks: proved, stored once before they are answered, and nothing lost for a bad neighbour."""

import base64
import gzip
import json
import random
import time
from typing import Any
from uuid import uuid4

import pytest

from postroad_common.ids import new_id, pack_ref, unpack_ref
from postroad_stack.eventually import eventually
from postroad_stack.fake_esps import FakePostmark, FakeSendGrid, WebhookRequest
from tests.size import FULL

from .town import Tenant, Town

TABLES = (
    "tracking.events",
    "tracking.event_keys",
    "tracking.event_personal_data",
    "tracking.raw_requests",
    "tracking.stops",
)


async def rows(town: Town, tenant: Tenant) -> dict[str, int]:
    return {table: await town.count(table, tenant.tenant_id) for table in TABLES}


async def test_webhook_is_stored_with_its_message_before_it_is_answered(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    event = mill.sendgrid.event("delivered", email=mail.email, ref=mail.ref, response="250 OK")
    answer = await town.post(mill.sendgrid_path, mill.sendgrid.request([event]))
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": [], "ignored": 0, "on_the_wire": []}
    (stored,) = await town.events(mill.tenant_id)
    assert (stored["type"], stored["message_id"]) == ("delivered", mail.message_id)
    assert (stored["enrollment_id"], stored["contact_id"]) == (mail.enrollment_id, mail.contact_id)
    assert (stored["sequence_id"], stored["step_key"]) == (mill.sequence_id, "one")
    assert stored["source"] == "sendgrid"


async def test_replayed_webhook_is_answered_with_200_and_stores_nothing_twice(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    events = [mill.sendgrid.event(kind, email=mail.email, ref=mail.ref) for kind in ("delivered", "open", "spamreport")]
    request = mill.sendgrid.request(events)
    first = await town.post(mill.sendgrid_path, request)
    before = await rows(town, mill)
    for _ in range(3):
        again = await town.post(mill.sendgrid_path, request)
        assert again.status_code == 200
        assert (again.json()["accepted"], again.json()["duplicates"]) == (0, 3)
    assert first.json()["accepted"] == 3
    assert await rows(town, mill) == before
    assert before["tracking.events"] == 3
    assert before["tracking.raw_requests"] == before["tracking.stops"] == 1


async def test_event_that_comes_twice_in_one_batch_is_stored_once(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    event = mill.sendgrid.event("open", email=mail.email, ref=mail.ref)
    answer = await town.post(mill.sendgrid_path, mill.sendgrid.request([event, event]))
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (1, 1)
    assert await town.count("tracking.events", mill.tenant_id) == 1


async def test_bad_element_is_reported_and_kept_while_the_others_are_stored(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    good = [mill.sendgrid.event(kind, email=mail.email, ref=mail.ref) for kind in ("open", "click")]
    answer = await town.post(mill.sendgrid_path, mill.sendgrid.request([good[0], {"event": "open"}, good[1]]))
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [one["index"] for one in answer.json()["rejected"]] == [1]
    kept = await town.admin.fetchrow("SELECT * FROM tracking.raw_requests WHERE tenant_id = $1", mill.tenant_id)
    assert kept is not None
    assert json.loads(kept["rejected"]) == answer.json()["rejected"]
    assert len(json.loads(kept["body"])) == 3


async def test_credentials_and_addresses_are_not_kept_with_the_raw_request(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    request = mill.postmark.request(mill.postmark.bounce(email=mail.email, ref=mail.ref))
    headers = {**request.headers, "Cookie": "a=b", "X-Forwarded-For": "203.0.113.9"}
    assert (await town.post(mill.postmark_path, WebhookRequest(headers, request.body))).status_code == 200
    kept = await town.admin.fetchval(
        "SELECT headers::text FROM tracking.raw_requests WHERE tenant_id = $1", mill.tenant_id
    )
    assert mill.postmark.password not in kept
    for name in ("authorization", "cookie", "x-forwarded-for"):
        assert name not in kept


async def test_personal_data_lies_apart_from_the_event(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    click = mill.sendgrid.event(
        "click", email=mail.email, ref=mail.ref, ip="203.0.113.9", useragent="Firefox", url="https://mill.example/x"
    )
    await town.post(mill.sendgrid_path, mill.sendgrid.request([click]))
    (stored,) = await town.events(mill.tenant_id)
    assert "203.0.113.9" not in str(dict(stored))
    assert mail.email not in str(dict(stored))
    personal = await town.admin.fetchrow(
        "SELECT recipient, host(ip) AS ip, user_agent FROM tracking.event_personal_data WHERE event_id = $1",
        stored["event_id"],
    )
    assert personal is not None
    assert tuple(personal) == (mail.email, "203.0.113.9", "Firefox")


async def test_unknown_source_and_wrong_esp_are_not_found(town: Town) -> None:
    mill, other = await town.tenant(), await town.tenant("Other")
    request = mill.sendgrid.request([mill.sendgrid.event("open", email="a@b.example", ref=None)])
    source_id = unpack_ref(mill.sendgrid_path.rpartition("/")[2])[1]
    for path in (
        f"/webhooks/sendgrid/{pack_ref(mill.tenant_id, new_id())}",
        f"/webhooks/sendgrid/{pack_ref(other.tenant_id, source_id)}",
        f"/webhooks/sendgrid/{pack_ref(uuid4(), uuid4())}",
        mill.sendgrid_path.replace("sendgrid", "postmark"),
        mill.sendgrid_path.replace("sendgrid", "mailgun"),
        mill.sendgrid_path[:-1],
        mill.sendgrid_path + "A",
        "/webhooks/sendgrid/%00",
        "/webhooks/sendgrid/" + "é" * 43,
    ):
        answer = await town.post(path, request)
        assert answer.status_code == 404, path
        assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (await town.post(mill.sendgrid_path, request)).status_code == 200


async def test_request_that_proves_nothing_or_falsely_is_refused_and_stores_nothing(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    events = [mill.sendgrid.event("spamreport", email=mail.email, ref=mail.ref)]
    good = mill.sendgrid.request(events)
    bounce = mill.postmark.bounce(email=mail.email, ref=mail.ref)
    wrong = FakePostmark("mill", "guessed")
    cases: list[tuple[str, WebhookRequest, int, str]] = [
        (mill.sendgrid_path, WebhookRequest({}, good.body), 401, "unauthenticated"),
        (mill.sendgrid_path, FakeSendGrid().request(events), 403, "bad_signature"),
        (mill.sendgrid_path, WebhookRequest(good.headers, good.body + b" "), 403, "bad_signature"),
        (mill.sendgrid_path, mill.sendgrid.request(events, at=int(time.time()) - 49 * 3600), 403, "stale_signature"),
        (mill.sendgrid_path, mill.sendgrid.request(events, at=int(time.time()) + 3600), 403, "stale_signature"),
        (mill.postmark_path, WebhookRequest({}, json.dumps(bounce).encode()), 401, "unauthenticated"),
        (mill.postmark_path, wrong.request(bounce), 403, "wrong_credentials"),
    ]
    for path, request, status, code in cases:
        answer = await town.post(path, request)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert set((await rows(town, mill)).values()) == {0}


async def test_deleted_source_refuses_within_seconds(town: Town) -> None:
    mill = await town.tenant()
    request = mill.sendgrid.request([mill.sendgrid.event("open", email="a@b.example", ref=None)])
    assert (await town.post(mill.sendgrid_path, request)).status_code == 200
    await town.admin.execute("DELETE FROM sequence.webhook_sources WHERE tenant_id = $1", mill.tenant_id)

    async def refused() -> bool:
        return (await town.post(mill.sendgrid_path, request)).status_code == 404

    assert await eventually(refused)


async def test_source_whose_secrets_cannot_be_opened_lets_nobody_in(town: Town) -> None:
    mill = await town.tenant()
    await town.admin.execute(
        "UPDATE sequence.webhook_sources SET secrets_sealed = 'nonsense' WHERE tenant_id = $1", mill.tenant_id
    )
    request = mill.sendgrid.request([mill.sendgrid.event("open", email="a@b.example", ref=None)])
    assert (await town.post(mill.sendgrid_path, request)).status_code == 403


async def test_body_is_bounded_before_and_after_decompression(town: Town) -> None:
    mill = await town.tenant()
    bomb = gzip.compress(b"[" + b" " * 40_000_000 + b"]")
    assert len(bomb) < 100_000
    zipped = {"Content-Encoding": "gzip"}
    for body, headers in ((bomb, zipped), (b" " * 6_000_000, {})):
        answer = await town.http.post(mill.sendgrid_path, content=body, headers=headers)
        assert answer.status_code == 413
    for body in (b"not gzip", bomb[:1000], b""):
        answer = await town.http.post(mill.sendgrid_path, content=body, headers=zipped)
        assert 400 <= answer.status_code < 500, body[:10]
    for encoding in ("br", "deflate", "nonsense"):
        answer = await town.http.post(mill.sendgrid_path, content=b"\x00\x01", headers={"Content-Encoding": encoding})
        assert 400 <= answer.status_code < 500, encoding


async def test_compressed_webhook_is_read(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    request = mill.postmark.request(mill.postmark.delivery(email=mail.email, ref=mail.ref))
    headers = {**request.headers, "Content-Encoding": "gzip"}
    answer = await town.post(mill.postmark_path, WebhookRequest(headers, gzip.compress(request.body)))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def nasty(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value of any shape, with the texts that break things."""
    texts = ["", "open", "bounce", "\x00", "\ud800", "ü" * 50, "a" * 5_000, "9" * 400, "2026-03-01T12:00:00Z", "Bounce"]
    leaves = [None, True, 0, -1, 1.5, 10**30, 1772366400, *texts]
    if depth > 2 or rng.random() < 0.6:
        return rng.choice(leaves)
    keys = ["event", "timestamp", "email", "sg_event_id", "RecordType", "Type", "MessageID", "Email", "BouncedAt",
            "Metadata", "Headers", "postroad_message", "postroad-message", "ip", "url", "Geo", "\x00"]  # fmt: skip
    if rng.random() < 0.5:
        return [nasty(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(keys): nasty(rng, depth + 1) for _ in range(rng.randrange(8))}


async def test_no_bytes_at_all_are_answered_with_a_5xx(town: Town) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    mill = await town.tenant()
    times = 1_000 if FULL else 40
    bodies = [rng.randbytes(rng.randrange(300)) for _ in range(times)]
    bodies += [json.dumps(nasty(rng)).encode() for _ in range(times)]
    bodies += [json.dumps([nasty(rng, 1) for _ in range(5)]).encode() for _ in range(times)]
    bodies += [b"[" * 200_000, b'{"a":' * 50_000, b"9" * 10_000, b"[1" + b",1" * 20_000 + b"]", b"\xef\xbb\xbf[]"]
    basic = base64.b64encode(f"{mill.postmark.username}:{mill.postmark.password}".encode()).decode()
    seen = set()
    for body in bodies:
        at = str(int(time.time()))
        signed = mill.sendgrid.request([], at=int(at))
        proof = {**signed.headers, "X-Twilio-Email-Event-Webhook-Signature": sign(mill, at, body)}
        for path, headers in ((mill.sendgrid_path, proof), (mill.postmark_path, {"Authorization": f"Basic {basic}"})):
            answer = await town.http.post(path, content=body, headers=headers)
            assert answer.status_code in (200, 400), (path, body[:200], answer.text)
            seen.add(answer.status_code)
    assert seen == {200, 400}


def sign(tenant: Tenant, at: str, body: bytes) -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - of this helper only
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return base64.b64encode(tenant.sendgrid.key.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


@pytest.mark.parametrize(
    "name", ["X-Twilio-Email-Event-Webhook-Signature", "Authorization", "Content-Type", "User-Agent"]
)
async def test_odd_header_bytes_are_refused_or_kept_never_a_5xx(town: Town, name: str) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    for value in (b"\xff\xfe", b"Basic \xff", b"a" * 7_000, b"Basic " + b"=" * 100):
        for path, request in (
            (mill.sendgrid_path, mill.sendgrid.request([mill.sendgrid.event("open", email=mail.email, ref=mail.ref)])),
            (mill.postmark_path, mill.postmark.request(mill.postmark.delivery(email=mail.email, ref=mail.ref))),
        ):
            headers = [(k.encode(), v.encode()) for k, v in request.headers.items() if k != name]
            answer = await town.http.post(path, content=request.body, headers=[*headers, (name.encode(), value)])
            assert answer.status_code < 500, (name, value[:10], answer.text)
