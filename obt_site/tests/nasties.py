"""Known nasties: what strangers and broken programs send. Thrown at every call, path and form field by
`test_nasties_api.py`, `test_nasties_pages.py` and `test_nasties_agents.py`.
"""

import gzip
import json
from typing import Any

DEEP = 5000
NUL = "\x00"
LONE = "\ud800"
FORGED = "x\r\n2026-01-31T12:00:00Z CRITICAL obt_site forged line"

# What a text may be. Some of it is a good name for a machine and is kept as it is, shown as text and nothing else.
TEXTS: dict[str, str] = {
    "empty": "",
    "space": " \t ",
    "NUL": f"a{NUL}b",
    "NUL only": NUL,
    "escape sequence": "\x1b[31mred\x1b[0m",
    "log forging": FORGED,
    "line separator": "a\u2028b\u2029c\x85d",
    "direction": "abc\u202egpj.exe",
    "very long": "x" * 50_000,
    "long": "x" * 5000,
    "combining": "e" + "\u0301" * 500,
    "not a character": "\uffff\ufffe",
    "HTML": "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "template": "{{ 7|add:7 }}{% debug %}${7*7}#{7*7}<%= 7*7 %>",
    "formula": '=HYPERLINK("http://evil.test","x")',
    "formula with a space": " =1+1",
    "shell": "$(reboot)`reboot`;|&\n",
    "SQL": "' OR '1'='1'; DROP TABLE auth_user; --",
    "operator as text": '{"$ne": null}',
    "operator name": "$where",
    "path": "../../../../etc/passwd",
    "path, encoded": "..%2f..%2f..%2fetc%2fpasswd",
    "Windows path": "..\\..\\windows\\win.ini",
    "zip slip": "../../evil.sh",
    "javascript": "javascript:alert(1)",
    "format string": "%s%n%x{0.__class__}",
    "regex bomb": "(" * 200 + "a+" + ")+" * 200,
    "huge digits": "9" * 400,
    "header": "a\r\nSet-Cookie: x=1",
    "surrogates as text": "\\ud800\\udc00",
    "id of nothing": "0" * 24,
    "almost an id": "g" * 24,
}

# What may stand in place of any value of a JSON body, beside texts.
ODD_VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "negative": -1,
    "fraction": 1.5,
    "2^53": 2**53,
    "2^63": 2**63,
    "2^200": 2**200,
    "smallest": 5e-324,
    "operator": {"$ne": None},
    "operator list": [{"$gt": ""}],
    "where": {"$where": "sleep(1000)"},
    "regex": {"$regex": "^(a+)+$"},
    "empty object": {},
    "empty list": [],
    "list in list": [[[]]],
    "prototype": {"__proto__": {"admin": True}, "constructor": {}},
    "dunder": {"__class__": "x", "_id": "x", "pk": 1},
    "many": ["x"] * 5000,
    "lone surrogate": LONE,
}
VALUES: dict[str, Any] = {**TEXTS, **ODD_VALUES}

# Whole bodies that are no JSON, or JSON that nobody should take.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and unfinished": b"[" * DEEP,
    "key twice": b'{"name": "a", "name": "b"}',
    "key twice, inside": b'{"targets": [{"client": "a", "client": "b", "model": "x"}]}',
    "NaN": b'{"paused": NaN}',
    "Infinity": b'{"paused": -Infinity}',
    "exponent bomb": b'{"paused": 1e999999999}',
    "long integer": b'{"paused": ' + b"9" * 50_000 + b"}",
    "long fraction": b'{"paused": 0.' + b"1" * 50_000 + b"}",
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate as a key": b'{"\\udfff": 1}',
    "NUL": b'{"name": "a\\u0000b"}',
    "a text": b'"text"',
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "trailing": b'{"name": "x"} {"name": "y"}',
    "comment": b'/* x */ {"name": "x"}',
    "operator": b'{"$where": "1", "name": {"$ne": null}}',
    "a form": b"name=x&paused=1",
    "a multipart form": b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--x--\r\n',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93.",
    "gzip bomb": gzip.compress(b"0" * 10_000_000),
    "many keys": json.dumps({f"k{i}": i for i in range(3000)}).encode(),
}

# Fields that are ours to set: nobody assigns them from outside.
OURS = (
    "id", "_id", "pk", "number", "state", "counts", "created_by", "created_at", "finished_at", "role", "user",
    "version", "credential_id", "credential_hash", "secret_hash", "is_superuser", "schema", "paused_by", "__proto__",
    "__class__", "$set", "jobs.0.state",
)  # fmt: skip

# Query strings, after the question mark.
QUERIES: dict[str, str] = {
    "operator": "name[$ne]=",
    "operator of a filter": "model[$ne]=x&client[$gt]=",
    "operator as JSON": "client=%7B%22%24ne%22%3Anull%7D",
    "NUL": "client=%00",
    "bad percent": "client=%",
    "bad UTF-8": "client=%ff%fe",
    "lone surrogate": "client=%ed%a0%80",
    "twice": "client=a&client=b",
    "many": "&".join(f"p{i}=1" for i in range(500)),
    "long": "client=" + "x" * 5000,
    "semicolons": "client=a;model=b",
    "huge number": "limit=" + "9" * 300,
    "negative": "limit=-1",
    "fraction": "limit=1.5",
    "other digits": "limit=%D9%A3",
    "underscores": "limit=1_000",
    "no cursor": "cursor=%00%00",
    "cursor of ours": "cursor=WzFd",
    "no name": "=x",
    "HTML": "client=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "line break": "client=a%0d%0aSet-Cookie:x=1",
    "time": "since=0000-00-00T00:00:00Z",
    "far time": "since=9999-12-31T23:59:59.999999%2B23:59",
    "early time": "until=0001-01-01T00:00:00-23:59",
    "operator in compare": "base=client%5B%24ne%5D%3Dx&with=result%3D%24where",
    "filter in a filter": "base=base%3Dx&with=" + "%26".join(["model%3Dx"] * 100),
}

# In place of an id in a path, already encoded.
IDS: dict[str, str] = {
    "dots": "..",
    "encoded dots": "%2e%2e",
    "encoded slash": "..%2f..%2fetc%2fpasswd",
    "double encoded": "%252e%252e%252f",
    "NUL": "a%00b",
    "bad UTF-8": "%ff%fe",
    "line break": "a%0d%0ab",
    "operator": "%7B%22$ne%22:null%7D",
    "very long": "a" * 3000,
    "HTML": "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "no id": "x",
    "id of nothing": "0" * 24,
    "not quite an id": "g" * 24,
    "capitals": "A" * 24,
    "space": "%20",
    "direction": "%E2%80%AE",
    "semicolon": "x;y=z",
    "Windows": "..%5c..%5cwin.ini",
}

# Where an agent could want the server to go.
ADDRESSES: dict[str, str] = {
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "IPv6 loopback": "http://[::1]:27017/",
    "decimal": "http://2130706433/",
    "octal": "http://0177.0.0.1/",
    "no dots": "http://0/",
    "credentials": "http://user:secret@127.0.0.1:11434/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript": "javascript:alert(1)",
    "data": "data:text/html,<script>alert(1)</script>",
    "fragment": "http://127.0.0.1:11434#@evil.test/",
    "backslash": "http://127.0.0.1\\@evil.test/",
    "HTML": 'http://x/"><script>alert(1)</script>',
}
