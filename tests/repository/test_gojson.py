"""Texts as Go writes them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.repository.gojson import json_name, json_string, parse_name

NAMES = [
    (b"plain.txt", rb"plain.txt"),
    ("ümläut €".encode(), "ümläut €".encode()),
    (b'quo"te', rb"quo\\\"te"),
    (b"back\\slash", rb"back\\\\slash"),
    (b"new\nline\ttab\rreturn", rb"new\\nline\\ttab\\rreturn"),
    (b"\a\b\f\v", rb"\\a\\b\\f\\v"),
    (b"\x01\x1f\x7f", rb"\\x01\\x1f\\x7f"),
    (b"\xff\xfe", rb"\\xff\\xfe"),
    (b"cut \xe2\x82", rb"cut \\xe2\\x82"),
    (b"surrogate \xed\xa0\x80", rb"surrogate \\xed\\xa0\\x80"),
    (b"<a>&'", rb"\u003ca\u003e\u0026'"),
    ("\u2028\u2029".encode(), rb"\\u2028\\u2029"),
    ("\u00a0\u200b\ufeff".encode(), rb"\\u00a0\\u200b\\ufeff"),
    ("\U000e0001".encode(), rb"\\U000e0001"),
    ("\ufffd \U0001f600".encode(), "\ufffd \U0001f600".encode()),
]


@pytest.mark.parametrize(("name", "written"), NAMES)
def test_names(name, written):
    """Names are written as Go quotes and JSON escapes them."""
    assert json_name(name) == written
    assert parse_name(json.loads(b'"%b"' % written)) == name


@given(st.binary(max_size=300))
def test_any_name_survives(name):
    """Any bytes come back from JSON as they were."""
    assert parse_name(json.loads(b'"%b"' % json_name(name))) == name


@given(st.text(max_size=100).map(str.encode))
def test_any_utf8_survives(name):
    """Any UTF-8 comes back as it was, as a name and as a string."""
    assert parse_name(json.loads(b'"%b"' % json_name(name))) == name
    assert json.loads(b'"%b"' % json_string(name)) == name.decode()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (b'a<b>&"\\', rb"a\u003cb\u003e\u0026\"\\"),
        (b"\x00\x1f\b\f\n\r\t\x7f", b"\\u0000\\u001f\\b\\f\\n\\r\\t\x7f"),
        ("\u2028\u2029é".encode(), "\\u2028\\u2029é".encode()),
        (b"\xff a \xe2\x82", rb"\ufffd a \ufffd\ufffd"),
    ],
)
def test_strings(text, written):
    """Strings are written as Go's encoding/json writes them."""
    assert json_string(text) == written


@pytest.mark.parametrize("name", ["\\", "a\\", "\\q", "\\x1", "\\xzz", "\\u12", "\\'", "\\U00110000"])
def test_unknown_escapes_are_refused(name):
    """What strconv.Quote never writes is no name."""
    with pytest.raises(ValueError):
        parse_name(name)


def test_octal():
    """Octal escapes, which Go reads but never writes, are read."""
    assert parse_name("\\141\\377") == b"a\xff"
