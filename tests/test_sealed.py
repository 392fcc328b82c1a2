"""Data under a seal, and under an agreement."""

import json
from datetime import date

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from artbook.data import agreement, sealed

WORDS = "a long walk by the sea"
CONTENT = json.dumps(
    [{"title": "月", "notes": [60, 62]}, {"title": "River", "notes": [64]}], ensure_ascii=False
).encode()


def test_a_seal_opens_again_and_is_never_the_same():
    first, second = (sealed.seal(CONTENT, WORDS, cost=10) for _ in range(2))
    assert sealed.unseal(first, WORDS) == sealed.unseal(second, WORDS) == CONTENT
    assert first[9:37] != second[9:37] and first[37:] != second[37:]
    assert len(first) == len(CONTENT) + 53 and CONTENT[:20] not in first


def test_the_format_is_as_documented():
    made = sealed.seal(CONTENT, WORDS, cost=10)
    assert made[:8] == b"ARTSEAL1" and made[8] == 10
    key = Scrypt(salt=made[9:25], length=32, n=2**10, r=8, p=1).derive(WORDS.encode())
    assert AESGCM(key).decrypt(made[25:37], made[37:], made[:37]) == CONTENT


def test_every_changed_bit_is_refused():
    made = sealed.seal(b"tune", WORDS, cost=10)
    for place in range(len(made)):
        for bit in (0, 7):
            # A cost that is changed to a high one is left out here: it would be computed before it is refused.
            if place == 8 and (made[8] ^ (1 << bit)) in range(16, 21):
                continue
            with pytest.raises(ValueError, match=r"the seal does not fit|begins with|a cost from"):
                sealed.unseal(made[:place] + bytes([made[place] ^ (1 << bit)]) + made[place + 1 :], WORDS)


def test_empty_content_is_content():
    assert sealed.unseal(sealed.seal(b"", WORDS, cost=10), WORDS) == b""


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: sealed.seal(b"", "short", 10), "at least 12 characters"),
        (lambda: sealed.seal(b"", WORDS, 9), "a cost from 10 to 20"),
        (lambda: sealed.seal(b"", WORDS, True), "a cost from 10 to 20"),
        (lambda: sealed.unseal(b"PK", WORDS), "begins with"),
        (lambda: sealed.unseal(sealed.seal(b"", WORDS, 10)[:-1], WORDS), "at least 53 bytes"),
        (lambda: sealed.unseal(sealed.seal(b"abc", WORDS, 10)[:-1], WORDS), "the seal does not fit"),
        (lambda: sealed.unseal(sealed.seal(b"abc", WORDS, 10), WORDS + "!"), "the passphrase is another"),
        (lambda: sealed.unseal(b"ARTSEAL1" + bytes([40]) + bytes(60), WORDS), "a cost from 10 to 20"),
    ],
)
def test_seals_that_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_file_is_named_and_stays_whole(tmp_path):
    path = tmp_path / "tunes.sealed"
    sealed.write(path, CONTENT, WORDS, cost=10)
    assert sealed.read(path, WORDS) == CONTENT and [*tmp_path.iterdir()] == [path]
    with pytest.raises(ValueError, match=r"tunes\.sealed: the passphrase is another"):
        sealed.read(path, "another passphrase")
    with pytest.raises(ValueError, match="12 characters"):
        sealed.write(path, b"other", "short")
    assert sealed.read(path, WORDS) == CONTENT


TERMS = {
    "giver": "an archive",
    "users": ("school",),
    "purposes": ("research", "teaching"),
    "until": date(2027, 12, 31),
    "withheld": ("title",),
    "licence": "no copies",
}
USE = {"user": "school", "purpose": "research", "fields": ["notes"], "today": date(2027, 12, 31)}


@pytest.fixture
def path(tmp_path):
    agreement.agree(tmp_path / "tunes.json", CONTENT, **TERMS)
    return tmp_path / "tunes.json"


def test_what_is_agreed_is_handed_out_and_no_more(path):
    assert agreement.load(path, **USE) == [{"notes": [60, 62]}, {"notes": [64]}]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"purpose": "advertising"}, "is for research, teaching; 'advertising'"),
        ({"user": "label"}, "is with school; 'label'"),
        ({"today": date(2028, 1, 1)}, "ended on 2027-12-31"),
        ({"fields": ["notes", "title"]}, "withholds title"),
    ],
)
def test_other_uses_are_refused(path, change, words):
    with pytest.raises(agreement.AgreementError, match=words):
        agreement.load(path, **USE | change)


def test_other_data_and_data_without_an_agreement_are_refused(path, tmp_path):
    path.write_bytes(CONTENT + b" ")
    with pytest.raises(agreement.AgreementError, match="the agreement is on data"):
        agreement.load(path, **USE)
    (tmp_path / "tunes.json.agreement.json").unlink()
    with pytest.raises(agreement.AgreementError, match="there is none"):
        agreement.load(path, **USE)


def test_a_field_that_is_not_there(path):
    with pytest.raises(ValueError, match="some lack metre"):
        agreement.load(path, **USE | {"fields": ["notes", "metre"]})


def test_data_of_another_form(path):
    agreement.agree(path, b'{"title": 1}', **TERMS)
    with pytest.raises(ValueError, match="a JSON list of objects"):
        agreement.load(path, **USE)
    with pytest.raises(ValueError, match="until: a day"):
        agreement.agree(path, b"[]", **TERMS | {"until": "2027-12-31"})


def test_an_agreement_comes_back_from_its_text():
    agreed = agreement.Agreement("0" * 64, **TERMS)
    assert agreement.Agreement.from_json(agreed.to_json()) == agreed


def changed(**fields):
    return json.dumps(json.loads(agreement.Agreement("0" * 64, **TERMS).to_json()) | fields)


@pytest.mark.parametrize(
    "text, words",
    [
        ("no", "an agreement in JSON"),
        ("[]", "the fields"),
        ("3", "an agreement in JSON"),
        (changed(extra=1), "the fields"),
        (changed(users="school"), "lists were wanted as users"),
        (changed(users=[]), "users: at least 1"),
        (changed(until="soon"), "until: a day"),
        (changed(until=3), "until: a day"),
        (changed(data_sha256="abc"), "64 hexadecimal"),
        (changed(data_sha256=3), "64 hexadecimal"),
        (changed(giver=" "), "giver: a text"),
    ],
)
def test_agreements_that_are_none(text, words):
    with pytest.raises(ValueError, match=words):
        agreement.Agreement.from_json(text)
