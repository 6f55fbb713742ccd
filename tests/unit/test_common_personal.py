"""What is kept for ever quotes nobody's address."""

import pytest

from postroad_common.personal import without_addresses


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("<ada@lists.example>: user unknown", "<(address)>: user unknown"),
        ("Mailbox 'ada.l+x@müller.example' is full", "Mailbox '(address)' is full"),
        ("rcpt:ada@lists.example,bob@lists.example", "rcpt:(address),(address)"),
        (
            "smtp; 550 5.1.1 The email account (ada@[192.0.2.1]) does not exist",
            "smtp; 550 5.1.1 The email account ((address)) does not exist",
        ),
        ("2.0.0 Ok: queued as 4F1 @ noon", "2.0.0 Ok: queued as 4F1 @ noon"),
        ("no address here", "no address here"),
        ("o'brien@example.com is full", "(address) is full"),
        ('"john smith"@example.com', "(address)"),
        ("https://shop.example/?email=ada@lists.example&b=1", "https://shop.example/?email=(address)&b=1"),
        ("https://shop.example/?email=ada%40lists.example&b=1", "https://shop.example/?email=(address)&b=1"),
    ],
)
def test_addresses_go_and_the_words_stay(said: str, kept: str) -> None:
    assert without_addresses(said) == kept
