"""The master key and what it seals."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import MasterKeyError
from jetcore.model import Secret
from jetcore.settings.secret import MasterKey

KEY = MasterKey(bytes(range(32)))
TEXT = st.text(st.characters(codec="utf-8"))


@given(text=TEXT, context=TEXT)
def test_sealed_secret_opens_for_its_context(text: str, context: str) -> None:
    """What was sealed opens with the same key for the same context, whatever the texts are."""
    assert KEY.unseal(KEY.seal(Secret(text), context), context) == Secret(text)


def test_sealing_twice_gives_different_texts() -> None:
    """Equal secrets cannot be told from what is stored of them."""
    assert KEY.seal(Secret("same"), "a") != KEY.seal(Secret("same"), "a")


def test_form_is_kept() -> None:
    """A text that was sealed long ago opens: version, key id, nonce, ciphertext and tag have their places."""
    sealed = "jcs1:0b5dc3db:ZGVmZ2hpamtsbW5vIG6wEhybZJT1HiNc0xBylHwRG9zYy28="

    assert KEY.unseal(sealed, "a") == Secret("hunter2")


def test_other_key_is_named() -> None:
    """A secret of another key is refused with both keys' ids, and without either key."""
    other = MasterKey.generate()

    with pytest.raises(
        MasterKeyError, match=rf"the secret panel\.x was sealed with master key {KEY.id}, not {other.id}"
    ):
        other.unseal(KEY.seal(Secret("hunter2"), "panel.x"), "panel.x")


def test_other_context_opens_nothing() -> None:
    """A sealed text that is moved to another place does not open there."""
    with pytest.raises(MasterKeyError, match="the secret b is damaged, or was copied there from elsewhere"):
        KEY.unseal(KEY.seal(Secret("hunter2"), "a"), "b")


@given(position=st.integers(0, 200), letter=st.sampled_from("AZaz09-_:é\0"))
def test_changed_text_never_opens_as_something_else(position: int, letter: str) -> None:
    """One changed letter anywhere is an error, or the same secret where the letter was that one already."""
    sealed = KEY.seal(Secret("hunter2"), "a")
    position %= len(sealed)
    changed = sealed[:position] + letter + sealed[position + 1 :]

    try:
        opened = KEY.unseal(changed, "a")
    except MasterKeyError:
        assert changed != sealed
    else:
        assert opened == Secret("hunter2")


@pytest.mark.parametrize("text", ["", "hunter2", "jcs1", "jcs1:", "jcs2:0b5dc3db:AAAA", "jcs1:0b5dc3db:AAAA:AAAA"])
def test_text_that_was_never_sealed_is_refused(text: str) -> None:
    """What is no sealed text is refused without repeating it: it may be a secret in clear."""
    with pytest.raises(MasterKeyError) as raised:
        KEY.unseal(text, "a")

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("text", [f"jcs1:{KEY.id}:", f"jcs1:{KEY.id}:AAAA", f"jcs1:{KEY.id}:====", f"jcs1:{KEY.id}:é"])
def test_broken_text_is_refused(text: str) -> None:
    """A text that was cut off or garbled is damaged, and no error of a library."""
    with pytest.raises(MasterKeyError, match="damaged"):
        KEY.unseal(text, "a")


def test_key_is_never_shown() -> None:
    """No usual way of showing or copying the key gives it out."""
    for shown in (repr(KEY), str(KEY), f"{KEY}", repr([KEY])):
        assert "MasterKey('***')" in shown
        assert "\\x01" not in shown
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            copying(KEY)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_key_has_thirty_two_bytes(size: int) -> None:
    """A key of any other size is refused."""
    with pytest.raises(MasterKeyError, match=f"32 bytes, not {size}"):
        MasterKey(bytes(size))


def test_key_goes_through_text() -> None:
    """The exported text, also with line breaks from a mail, gives the same key; other texts give none."""
    text = KEY.to_text().reveal()

    assert MasterKey.from_text(Secret(f" {text[:20]}\n{text[20:]}\n")) == KEY
    for wrong in ("", "x", text[:-2], "ä" * 44):
        with pytest.raises(MasterKeyError):
            MasterKey.from_text(Secret(wrong))


def test_keys_are_told_apart() -> None:
    """Generated keys differ, keys of equal bytes are equal."""
    assert MasterKey.generate() != MasterKey.generate()
    assert MasterKey(KEY.reveal()) == KEY
    assert len({KEY, MasterKey(KEY.reveal())}) == 1
    assert KEY.reveal() != KEY
