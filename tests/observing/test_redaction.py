"""Where secrets hide in URLs, and in texts with URLs."""

import pytest

from hyperlite import telling

SECRET = "s3cret"


@pytest.mark.parametrize(
    "text",
    [
        f"https://a/?%74oken={SECRET}",
        f"https://a/?token=x;{SECRET}",
        f"https://a/?a=1;token={SECRET}",
        f"https://a/?token=x'{SECRET}",
        f"https://a/?token=x?{SECRET}",
        f"https://a/cb#access_token={SECRET}&state=1",
        f"https://a/#/cb?token={SECRET}",
        f"//me:{SECRET}@a/",
        f"https://me:x@{SECRET}@a/",
        f"https://a/?next=https%3A%2F%2Fb%2F%3Ftoken%3D{SECRET}",
        f"https://a/?next=https%3A%2F%2Fme:{SECRET}%40b%2F",
        f"https://a/?next=https://b/?token={SECRET}",
        f'<https://a/?page=2&TOKEN={SECRET}>; rel="next"',
        f"error in 'https://a/?key={SECRET}'",
    ],
)
def test_where_secrets_hide(text: str) -> None:
    assert SECRET not in telling.redacted(text)
    assert "…" in telling.redacted(text)


def test_what_is_no_secret_is_shown() -> None:
    for text in ("https://a/b?page=2;lang=en&q=a%20b#top", "https://a/?monkey=1", "a ? b: c; key", "a/@b"):
        assert telling.redacted(text) == text
    assert telling.redacted("/?token=1;page=2&q=3") == "/?token=…;page=2&q=3"
