"""Which kinds of document hold text that can be read, and what a body really is."""

from __future__ import annotations

import codecs

import httpx

ACCEPT = (
    "text/html,application/xhtml+xml,application/pdf,text/markdown;q=0.9,text/plain;q=0.9,"
    "application/json;q=0.8,application/xml;q=0.8,*/*;q=0.1"
)

_READABLE = frozenset(
    {
        "application/json",
        "application/pdf",
        "application/x-ndjson",
        "application/xml",
    }
)
_UNREADABLE_TEXT = frozenset({"text/css", "text/event-stream", "text/javascript"})
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")


def is_readable(media_type: str) -> bool:
    """Whether documents of this type (lower case, no parameters) can be turned into text."""
    if media_type.startswith("text/"):
        return media_type not in _UNREADABLE_TEXT
    if media_type.startswith("application/"):
        return media_type in _READABLE or media_type.endswith(("+xml", "+json"))
    return False


def declared_type(headers: httpx.Headers) -> tuple[str, str | None]:
    """Media type ("" if there is none) and charset (None if unknown to Python) of Content-Type."""
    media_type, *parameters = headers.get("Content-Type", "").lower().split(";")
    charset = None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = _known_charset(value.strip(" \t\"'"))
    return media_type.strip(), charset


def true_type(declared: str, body: bytes, charset: str | None) -> str:
    """The media type that ``body`` has, whatever was declared; "" for binary bytes of no known kind.

    Signatures as in the WHATWG MIME Sniffing Standard §7, in the little that matters here.
    """
    start = body[:1024].lstrip(b"\xef\xbb\xbf\t\n\x0c\r ")
    if start.startswith(b"%PDF-"):
        return "application/pdf"
    if declared == "application/pdf":
        return declared
    if _is_binary(body, charset):
        return ""
    if declared not in _UNTOLD:
        return declared
    if start.lower().startswith(_HTML_STARTS):
        return "text/html"
    return "application/xml" if start.startswith(b"<?xml") else "text/plain"


def _is_binary(body: bytes, charset: str | None) -> bool:
    """Bytes that no text has, unless it is UTF-16 or UTF-32."""
    if (charset or "").startswith(("utf-16", "utf-32")):
        return False
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return False
    return b"\0" in body[:4096]


def _known_charset(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
