"""The pages that recipients see: self-contained, without scripts, cookies or anything from elsewhere."""

import base64
from hashlib import sha256
from html import escape
from typing import Final

from aiohttp import web

_STYLE: Final = """
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #1c2430; background: #f4f6f8; }
main { width: 100%; max-width: 30rem; padding: 2rem; background: #fff; border: 1px solid #d5dbe2;
  border-radius: .75rem; }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
p:last-child { margin-bottom: 0; }
button { width: 100%; min-height: 3rem; padding: .75rem 1rem; font: inherit; font-weight: 600; color: #fff;
  background: #14508c; border: 0; border-radius: .5rem; cursor: pointer; }
button:hover { background: #0f3f70; }
button:focus-visible { outline: 3px solid #e0912f; outline-offset: 3px; }
@media (prefers-color-scheme: dark) {
  body { color: #e8ecf1; background: #12161c; }
  main { background: #1b2129; border-color: #37414d; }
  button { background: #7fb4ea; color: #10161d; }
  button:hover { background: #a5caf1; }
}
"""
_STYLE_HASH: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}

FORM_FIELD: Final = "List-Unsubscribe"
FORM_VALUE: Final = "One-Click"


def ask(address: str | None, tenant_name: str | None) -> web.Response:
    """The question. It acts on nothing: mail scanners follow links."""
    whose = f"<strong>{escape(masked(address))}</strong>" if address else "the address that the message was sent to"
    sender = escape(tenant_name) if tenant_name else "this sender"
    return _page(
        "Unsubscribe",
        f"<p>{sender} will send no more mail to {whose}.</p>"
        f'<form method="post"><input type="hidden" name="{FORM_FIELD}" value="{FORM_VALUE}">'
        '<button type="submit">Unsubscribe</button></form>',
    )


def done(address: str, tenant_name: str, *, on_the_wire: int) -> web.Response:
    """The confirmation, which is sent only once it is true."""
    late = "<p>A message that was already on its way may still arrive.</p>" if on_the_wire else ""
    return _page(
        "You are unsubscribed",
        f"<p>{escape(tenant_name)} will send no more mail to <strong>{escape(masked(address))}</strong>.</p>{late}",
    )


def not_found() -> web.Response:
    """A link that is not ours, damaged, or no longer good."""
    return _page(
        "This link does not work",
        "<p>It is incomplete or no longer valid. Please use the link from the message as it is.</p>",
        status=404,
    )


def try_again(retry_after: int) -> web.Response:
    """Nothing was done, and the page says so."""
    return _page(
        "Please try again in a moment",
        "<p>You are <strong>not yet unsubscribed</strong>: our system does not answer right now.</p>"
        f'<form method="post"><input type="hidden" name="{FORM_FIELD}" value="{FORM_VALUE}">'
        '<button type="submit">Try again</button></form>',
        status=503,
        headers={"Retry-After": str(retry_after)},
    )


def masked(address: str) -> str:
    """The address as its owner knows it and nobody else learns it: a***@example.com."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}***@{domain}"


def _page(title: str, content: str, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        text=(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
            f'<body><main role="main"><h1>{escape(title)}</h1>{content}</main></body></html>'
        ),
        content_type="text/html",
        charset="utf-8",
        headers={**_HEADERS, **(headers or {})},
    )
