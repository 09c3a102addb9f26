"""What messages say is to be done: every remedy is followed, or it is said why not."""

import inspect
from importlib import import_module
from pkgutil import iter_modules

import followed
import pytest
from followed import CASES, Said, matches, remedies
from followed.unfollowed import NOT_YET, UNFOLLOWABLE

for found in iter_modules(followed.__path__):
    import_module(f"followed.{found.name}")

MESSAGES = remedies.messages()
MOST_NOT_YET = 0


def key_of(part):
    """The one message with a part."""
    found = [part] if part in MESSAGES else [key for key in MESSAGES if part in key]
    assert len(found) == 1, f"{part!r} is a part of {len(found)} messages: {found}"
    return found[0]


def _where(key):
    return f"{MESSAGES[key].where}: {key!r}"


def test_every_remedy_is_followed_or_it_is_said_why_not():
    known = [key_of(part) for part in (*CASES, *UNFOLLOWABLE, *NOT_YET)]
    missing = [_where(key) for key in MESSAGES if key not in known]
    assert not missing, "Follow these remedies in a case, tests/followed:\n" + "\n".join(missing)
    twice = {key for key in known if known.count(key) > 1}
    assert not twice


def test_the_list_of_what_is_not_followed_yet_only_shrinks():
    assert len(NOT_YET) <= MOST_NOT_YET
    assert len(NOT_YET) == MOST_NOT_YET, "It has shrunk: lower MOST_NOT_YET."


def test_reasons_are_given():
    assert all(len(reason) > 20 for reason in UNFOLLOWABLE.values())


def test_sentences_of_messages_begin_with_words_that_are_known():
    unknown = {word: key for word, key in remedies.sentences() if word not in (*remedies.VERBS, *remedies.NO_VERBS)}
    assert not unknown, "Put these into VERBS or NO_VERBS of tests/followed/remedies.py"


def test_no_message_offers_an_empty_list():
    assert not [key for key in MESSAGES if "order=[]" in key]


@pytest.mark.parametrize("part", CASES)
def test_what_the_message_says_works(part, tmp_path, monkeypatch):
    said = Said(tmp_path, monkeypatch)
    CASES[part](said)
    key = key_of(part)
    assert any(matches(key, message) for message in said.messages), (key, said.messages)


def test_every_case_provokes_a_message():
    for part, case in CASES.items():
        source = inspect.getsource(case)
        assert "said." in source, part
