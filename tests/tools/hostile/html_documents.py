"""HTML and other markup that parsers stumble over."""

from __future__ import annotations

PROSE = (
    "The leadsman stood in the chains and swung the lead forward so that it struck the bottom as "
    "the line came up and down, and he called the depth in fathoms to the officer of the watch. "
)


def _page(body: str, head: str = "") -> bytes:
    text = f"<html><head><title>T</title>{head}</head><body>{body}</body></html>"
    return text.encode("utf-8", "surrogatepass")


_LAUGHS = "".join(
    f'<!ENTITY l{n} "{"&l" + str(n - 1) + ";" if n else "lol"}{("&l" + str(n - 1) + ";") * 9 if n else ""}">'
    for n in range(10)
)

HTML = {
    "nested divs": b"<div>" * 100_000 + PROSE.encode(),
    "nested lists": b"<ul><li>" * 5_000 + PROSE.encode(),
    "nested tables": b"<table><tr><td>" * 2_000 + PROSE.encode(),
    "nested quotes": b"<blockquote>" * 20_000 + PROSE.encode(),
    "nested fonts": b"<font><b><i>" * 10_000 + PROSE.encode(),
    "unclosed everything": b"<html<body<div<p<a href=<b>" + PROSE.encode(),
    "only closing tags": b"</div></p></body></html>" * 1_000 + PROSE.encode(),
    "misnested": _page(f"<b><p><i>{PROSE}</b></p></i>" * 300),
    "many attributes": _page(f"<p {' '.join(f'a{n}=1' for n in range(20_000))}>{PROSE}</p>"),
    "huge attribute": _page(f'<p title="{"a" * 2_000_000}">{PROSE}</p>'),
    "huge class": _page(f'<div class="{"nav " * 200_000}">{PROSE}</div>'),
    "unclosed attribute": _page(f'<a href="x>{PROSE}'),
    "unclosed comment": _page(f"<p>{PROSE}</p><!-- {PROSE}"),
    "comment of dashes": _page(f"<!{'-' * 300_000}><p>{PROSE}</p>"),
    "unclosed script": _page(f"<p>{PROSE}</p><script>{PROSE}"),
    "unclosed title": b"<title>" + PROSE.encode() * 100,
    "plaintext": _page(f"<p>{PROSE}</p><plaintext></body>{PROSE}"),
    "CDATA": _page(f"<p><![CDATA[{PROSE}]]></p>"),
    "processing instructions": _page(f"<?php {PROSE} ?><?xml x?><p>{PROSE}</p>"),
    "NUL bytes": _page(f"<p>{PROSE}</p>").replace(b" ", b"\0 ", 20),
    "entities out of range": _page(f"<p>&#0;&#xD800;&#x110000;&#99999999999;&bogus;{PROSE}</p>"),
    "surrogates": _page(f"<p>\ud800\udfff{PROSE}</p>"),
    "invalid UTF-8": b"<p>\xff\xfe\xc3(\xe2\x82 " + PROSE.encode() + b"\xf0\x9f",
    "UTF-7": b"<meta charset=utf-7><p>+ADw-script+AD4- " + PROSE.encode(),
    "UTF-16 without mark": _page(f"<p>{PROSE}</p>").decode().encode("utf-16-le"),
    "charset said twice": _page(f"<p>{PROSE}</p>", "<meta charset=gbk><meta charset=koi8-r>"),
    "charset that does not exist": _page(f"<p>é{PROSE}</p>", "<meta charset=x-sailor>"),
    "wide table": _page(f"<table><tr>{'<td>1' * 5_000}</table><p>{PROSE}"),
    "long table": _page(f"<table>{'<tr><td>1<td>2' * 20_000}</table><p>{PROSE}"),
    "huge colspan": _page(
        f"<table><tr><td colspan=999999999>a<td rowspan=99999999>b</table>{PROSE}"
    ),
    "negative spans": _page(f"<table><tr><td colspan=-5>a<td rowspan=x>b</table>{PROSE}"),
    "spans by spans": _page(
        "<table>" + "<tr>" + "<td colspan=999 rowspan=999>a" * 300 + f"</table>{PROSE}"
    ),
    "rows without a table": _page(f"<tr><td>a<td>b</tr><p>{PROSE}"),
    "list numbers": _page(f"<ol start=99999999999999999999><li value=-9>a</ol><p>{PROSE}"),
    "one long word": _page(f"<p>{'a' * 3_000_000}</p>"),
    "one long line": _page(f"<pre>{PROSE * 10_000}</pre>"),
    "many short lines": _page("a<br>" * 200_000),
    "many links": _page("".join(f"<a href=/{n}>{n}</a>" for n in range(30_000))),
    "frameset": b"<frameset><frame src=http://127.0.0.1/></frameset>",
    "refresh": _page(f"<p>{PROSE}", '<meta http-equiv=refresh content="0;url=http://127.0.0.1/">'),
    "base of a script": _page(f"<a href=x>{PROSE}</a>", "<base href='javascript:alert(1)'>"),
    "two bodies": _page(f"<p>{PROSE}</p><html><body><p>{PROSE}</p></body></html>"),
    "scripts only": _page("<script>document.write('x')</script>"),
    "SVG and MathML": _page(f"<svg><foreignObject><p>{PROSE}</svg><math><mi>x</math><p>{PROSE}"),
    "entity bomb": f'<?xml version="1.0"?><!DOCTYPE l [{_LAUGHS}]><html><body>&l9;</body></html>'.encode(),
    "external entity": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<html><body><p>&x; " + PROSE.encode() + b"</p></body></html>",
    "parameter entity": b'<!DOCTYPE l [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;]><p>'
    + PROSE.encode(),
    "XInclude": b'<html xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd"/>'
    b"<p>" + PROSE.encode(),
    "metadata of another shape": _page(
        f"<p>{PROSE}</p>",
        '<script type="application/ld+json">{"author": [[{"name": {"a": 1}}]], "datePublished": 7}'
        '</script><meta name=author content="&#0;"><meta property=article:published_time content=x>',
    ),
    "deep JSON metadata": _page(
        f"<p>{PROSE}</p>", f'<script type="application/ld+json">{"[" * 50_000}</script>'
    ),
}
