"""Content credentials: signed, read, tampered with, stripped; broken files and wrong types."""

import io
import json

import c2pa
import numpy as np
import pytest
import soundfile
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from artbook.gallery.credentials import MADE_BY_MODEL, MEDIA, Credentials, Issuer, read, sign
from artbook.gallery.works import Work

ALT = "Noise in all colours, from edge to edge."


def png(size=(48, 64)):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def work(content=None, media="image/png", data=("ma-shan-zheng", "kanjivg")):
    return Work("noise", "Noise", ALT, media, png() if content is None else content, data, {"seed": 3})


@pytest.fixture(scope="module")
def issuer():
    return Issuer.for_tests("The studio")


@pytest.fixture(scope="module")
def signed(issuer):
    return sign(work(), issuer)


def test_a_signed_picture_says_who_made_it_how_and_from_what_and_shows_as_before(issuer, signed):
    found = read(signed, "image/png", issuer.root)
    assert (found.state, found.failures) == ("trusted", ())
    assert (found.title, found.signer, found.made) == ("Noise", "The studio", MADE_BY_MODEL)
    assert found.sources == (
        ("ma-shan-zheng 5.3.1", "SIL Open Font License 1.1"),
        ("kanjivg 20260714", "CC BY-SA 3.0"),
    )
    pixels = [np.asarray(Image.open(io.BytesIO(content))) for content in (signed, png())]
    np.testing.assert_array_equal(*pixels)


def test_the_file_holds_parameters_and_neither_key_nor_thumbnail(issuer, signed):
    with c2pa.Reader("image/png", io.BytesIO(signed)) as reader:
        store = json.loads(reader.json())
    manifest = store["manifests"][store["active_manifest"]]
    (action,) = manifest["assertions"][0]["data"]["actions"]
    assert json.loads(action["description"]) == {"name": "noise", "parameters": {"seed": 3}, "weights": ""}
    assert "thumbnail" not in manifest
    assert b"PRIVATE KEY" not in signed
    assert len(signed) < len(png()) + 8000


def test_a_sound_is_signed_and_still_plays(issuer):
    tone = io.BytesIO()
    soundfile.write(tone, np.sin(np.arange(16_000) * 0.1) * 0.3, 16_000, format="FLAC")
    signed = sign(work(tone.getvalue(), "audio/flac"), issuer)
    assert read(signed, "audio/flac", issuer.root).state == "trusted"
    before, after = (soundfile.read(io.BytesIO(content))[0] for content in (tone.getvalue(), signed))
    np.testing.assert_array_equal(before, after)


def test_trust_is_in_the_root_that_one_chooses(issuer, signed):
    for root in (b"", Issuer.for_tests("The studio").root):
        found = read(signed, "image/png", root)
        assert (found.state, found.failures) == ("valid", ("signingCredential.untrusted",))


@pytest.mark.parametrize(
    ("place", "failure"),
    [
        # One bit of the pixels, one letter of the sources.
        (lambda content: content.rindex(b"IDAT") + 100, "assertion.dataHash.mismatch"),
        (lambda content: content.index(b"kanjivg"), "assertion.hashedURI.mismatch"),
    ],
)
def test_tampering_is_found(issuer, signed, place, failure):
    altered = bytearray(signed)
    altered[place(signed)] ^= 1
    found = read(bytes(altered), "image/png", issuer.root)
    assert found.state == "invalid"
    assert failure in found.failures


def test_credentials_that_are_moved_to_another_picture_are_invalid(issuer, signed):
    other = Image.open(io.BytesIO(png())).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    file = io.BytesIO()
    other.save(file, "PNG")
    start = signed.index(b"caBX") - 4
    chunk = signed[start : start + 12 + int.from_bytes(signed[start : start + 4])]
    content = file.getvalue()
    moved = content[:33] + chunk + content[33:]
    assert read(moved, "image/png", issuer.root).state == "invalid"


def test_saving_again_strips_them(issuer, signed):
    file = io.BytesIO()
    Image.open(io.BytesIO(signed)).save(file, "PNG")
    assert read(file.getvalue(), "image/png", issuer.root) == Credentials("none")
    assert read(png(), "image/png", issuer.root) == Credentials("none")


@pytest.mark.parametrize("content", [b"", b"not a picture at all", png()[:40], png()[:-30]])
def test_a_broken_file_is_refused_by_reader_and_signer(issuer, content):
    with pytest.raises(ValueError, match="a whole file of the type image/png was wanted"):
        read(content, "image/png", issuer.root)
    if content:
        with pytest.raises(ValueError, match=r"noise\.png: a whole file of the type image/png was wanted"):
            sign(work(content), issuer)


def test_what_cannot_carry_credentials_is_refused(issuer):
    for media in ("text/plain", "audio/ogg"):
        with pytest.raises(
            ValueError, match=f"a work of the type image/png, audio/flac, video/mp4 was wanted; {media}"
        ):
            sign(work(b"a poem", media), issuer)
        with pytest.raises(
            ValueError, match=f"one of the types image/png, audio/flac, video/mp4 was wanted; '{media}'"
        ):
            read(b"a poem", media)
        assert media not in MEDIA


@pytest.mark.parametrize("name", ["", "  ", "x" * 65])
def test_a_signer_has_a_name(name):
    with pytest.raises(ValueError, match="a name of 1 to 64 characters was wanted"):
        Issuer.for_tests(name)


def test_the_root_vouches_for_the_signer_and_the_key_is_not_shown(issuer):
    own, root = (x509.load_pem_x509_certificate(pem) for pem in (issuer.certificate, issuer.root))
    root.public_key().verify(own.signature, own.tbs_certificate_bytes, ec.ECDSA(own.signature_hash_algorithm))
    own.verify_directly_issued_by(root)
    assert "PRIVATE KEY" not in repr(issuer)
    assert "PRIVATE KEY" in issuer._key.decode()
