r"""Texts as Go writes them: ``encoding/json`` strings, and ``strconv.Quote`` inside of them for names.

Names in trees are quoted twice: ``strconv.Quote`` makes text of any bytes (``\xff``), JSON escapes its backslashes.
What is written here equals Go's output byte for byte, so that jetcore and restic make the same tree of the same folder.
"""

from __future__ import annotations

import functools
import re

#: Bytes that neither of the two changes.
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\<>&'))
_SPECIAL = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\udc80-\udcff]')
_SHORT_JSON = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip
_SHORT_GO = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
    "\v": "\\v",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[abfnrtv\\\"])")
_ESCAPED = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\", '"': b'"',
}  # fmt: skip


def json_string(text: bytes) -> bytes:
    r"""Return *text* as the inside of a JSON string; bytes that are no UTF-8 become ``\ufffd``."""
    if not text.translate(None, _PLAIN):
        return text
    return _json_escape(text.decode("utf-8", "surrogateescape"))


#: For the few values that return again and again: owners, groups.
cached_json_string = functools.lru_cache(maxsize=1024)(json_string)


def json_name(name: bytes) -> bytes:
    """Return the bytes of *name* as the inside of a JSON string."""
    if not name.translate(None, _PLAIN):
        return name
    return _json_escape("".join(map(_go_quote, name.decode("utf-8", "surrogateescape"))))


def parse_name(quoted: str) -> bytes:
    """Return the bytes of a name from the value of its JSON string.

    :raises ValueError: It holds something that ``strconv.Quote`` does not write.
    """
    if "\\" not in quoted:
        return quoted.encode()
    name = bytearray()
    end = 0
    for escape in _ESCAPE.finditer(quoted):
        name += _between(quoted[end : escape.start()])
        code = escape[1]
        if code in _ESCAPED:
            name += _ESCAPED[code]
        elif code[0] == "x":
            name.append(int(code[1:], 16))
        elif code[0] in "uU":
            name += chr(int(code[1:], 16)).encode()
        else:
            name.append(int(code, 8))
        end = escape.end()
    return bytes(name + _between(quoted[end:]))


def _between(text: str) -> bytes:
    if "\\" in text:
        raise ValueError(f"unknown escape in {text!r}")
    return text.encode()


def _json_escape(text: str) -> bytes:
    return _SPECIAL.sub(_json_character, text).encode()


def _json_character(match: re.Match[str]) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":
        return "\\ufffd"
    return _SHORT_JSON.get(character) or f"\\u{ord(character):04x}"


def _go_quote(character: str) -> str:
    code = ord(character)
    if character in _SHORT_GO:
        return _SHORT_GO[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable():
        return character
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
