"""The codes of all problems by status, each with what it says to a program. A test holds that none is missing."""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[int, Mapping[str, str]]] = {
    400: {
        "if_match_unsupported": "an If-Match where nothing is edited",
        "malformed_encoding": "the body is not compressed as Content-Encoding says",
        "malformed_if_match": "the If-Match is no ETag",
        "malformed_json": "the body is no JSON",
        "not_csv": "the file is a workbook or an archive, no CSV",
        "not_utf16": "the file begins as UTF-16 and goes on as none",
    },
    401: {"unauthorized": "no key, or one that is wrong, has ended or was revoked"},
    403: {"forbidden": "the key's role or scopes do not hold this; `needed` says what does"},
    404: {
        "not_found": "there is no such thing in this tenant; `field` names it when it is not the path's",
        "source_not_kept": "the message in this `state` was not sent, or too long ago, or the sender keeps no copies",
    },
    409: {
        "changed_meanwhile": "somebody else changed it during the request: look and send it again",
        "disabled": "the webhook subscription is disabled: enable it first",
        "enrolled": "the contact has enrollments, `count` of them",
        "enrollments_running": "enrollments of the sequence still run",
        "illegal_transition": "the thing is in a `state` from which this does not lead on",
        "in_progress": "the first request with this Idempotency-Key is not answered yet: ask again",
        "in_use": "something refers to it; `uses` says what, or `count` how many",
        "last_owner": "it is the tenant's only key that can make others",
        "not_by_hand": "the suppression is the recipient's own word; `kinds` says which",
        "not_held": "the database may send: there is nothing to reconcile",
        "not_reconciled": "what may have been sent before the restore is not recorded yet",
        "not_verified": "rules of verify do not hold; `tenants` says whose and which",
        "not_unknown": "the message's outcome is known: its `state`",
        "nothing_to_activate": "the sequence has no draft",
        "reconciling": "steps are being recorded as possibly sent: that nothing was lost cannot be said any more",
        "report_deleted": "the report of the job was kept for its time",
        "sequence_not_active": "only an active sequence takes enrollments",
        "taken": "another one has this value; `field` says which",
        "too_many": "more than `limit`",
        "upload_abandoned": "no piece of the file came for too long: send it again",
    },
    412: {"changed_meanwhile": "somebody else changed it since it was read; `revision` is the one it has now"},
    413: {"too_large": "more than `limit` bytes"},
    415: {"unsupported_media_type": "a Content-Type that is not taken here"},
    422: {
        "filter_too_slow": "looking took too long; `unindexed` names attributes whose index would help",
        "idempotency_key_reused": "the Idempotency-Key was another request's",
        "invalid": "fields are not valid; `errors` names each",
        "invalid_filter": "the filter cannot be used; `position` says where, `expected` what could stand there",
        "template_refused": "the template does not compile or render; `part`, `line` and `message` say where and why",
    },
    429: {
        "already_running": "the same question of this tenant is being worked on",
        "rate_limited": "the key has used up what it may",
        "too_many_jobs": "`limit` jobs have not ended: wait for one, or cancel one",
    },
    503: {"unavailable": "a server behind this one does not answer; nothing is lost"},
}
