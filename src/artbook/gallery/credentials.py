"""Content credentials: who made a work, how and from what, signed and kept inside its file (chapter ``originality``).

The form is that of the Coalition for Content Provenance and Authenticity (C2PA specification 2.2), written and checked
by its library. Certificates are made on the spot and are for tests: a key lives in memory and is never stored, no
time-stamp server is asked, and nobody trusts the root but who is told to.
"""

import datetime
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import c2pa  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from artbook.gallery.entries import Source
from artbook.gallery.works import Work

# Text and Ogg have no place for credentials inside.
MEDIA = ("image/png", "audio/flac", "video/mp4")
# "Made by a model that was trained on data", in the vocabulary of the press agencies' council, IPTC.
MADE_BY_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_VALID = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Issuer:
    """Who signs.

    Attributes:
        name: of the signer, as its certificate has it.
        certificate: of the signer, PEM.
        root: the certificate that vouches for it, PEM: whoever checks a signature has to trust this one.
    """

    name: str
    certificate: bytes
    root: bytes
    _key: bytes = field(repr=False)

    @classmethod
    def for_tests(cls, name: str) -> "Issuer":
        """A signer with a root of its own, both new and valid from yesterday for thirty days.

        Args:
            name: 1 to 64 characters.

        Raises:
            ValueError: the name is empty or longer.
        """
        if not 1 <= len(name.strip()) <= 64:
            raise ValueError(f"a name of 1 to 64 characters was wanted; {name!r} was given")
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate(f"{name[:50]}, test root", root_key, f"{name[:50]}, test root", root_key, is_root=True)
        own = _certificate(name, key, f"{name[:50]}, test root", root_key, is_root=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(name, _pem(own), _pem(root), private)


@dataclass(frozen=True)
class Credentials:
    """What a file says of its origin, and whether that can be believed.

    Attributes:
        state: ``trusted``: signed by someone whom the given root vouches for, and not changed since; ``valid``: not
            changed since, but nobody vouches for the signer; ``invalid``: changed; ``none``: it says nothing.
        failures: what the check found wrong, as the specification names it.
        title: of the work.
        signer: as its certificate has it.
        made: how the work says it was made, an address; ``MADE_BY_MODEL`` for works of this book.
        sources: the data that it names, each with its licence.
    """

    state: str
    failures: tuple[str, ...] = ()
    title: str = ""
    signer: str = ""
    made: str = ""
    sources: tuple[tuple[str, str], ...] = ()


def sign(work: Work, issuer: Issuer) -> bytes:
    """The file of a work with its credentials inside.

    They say that a trained model made it, with which parameters, and from which data of the manifest.

    Args:
        work: a picture, a sound or a film.
        issuer: who signs.

    Returns:
        The bytes of the file, which plays or shows as before.

    Raises:
        ValueError: the work is of another type than ``MEDIA``, or its file is damaged.
    """
    if work.media not in MEDIA:
        raise ValueError(f"a work of the type {', '.join(MEDIA)} was wanted; {work.media} was given")
    info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=issuer.certificate, private_key=issuer._key, ta_url=None)
    signed = io.BytesIO()
    try:
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(_manifest(work), context=_context(b"")) as builder:
            builder.sign(signer, work.media, io.BytesIO(work.content), signed)
    except c2pa.C2paError as error:
        raise ValueError(f"{work.file}: a whole file of the type {work.media} was wanted; {error}") from error
    return signed.getvalue()


def read(content: bytes, media: str, root: bytes = b"") -> Credentials:
    """Read and check the credentials in a file.

    Args:
        content: of the file.
        media: its type, one of ``MEDIA``.
        root: the certificate that is trusted, PEM; left out, nobody is.

    Raises:
        ValueError: another type, or a file that is damaged so that it cannot be taken apart.
    """
    if media not in MEDIA:
        raise ValueError(f"one of the types {', '.join(MEDIA)} was wanted; {media!r} was given")
    try:
        with c2pa.Reader(media, io.BytesIO(content), context=_context(root)) as reader:
            found = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return Credentials("none")
    except c2pa.C2paError as error:
        raise ValueError(f"a whole file of the type {media} was wanted; {error}") from error
    manifest = found["manifests"][found["active_manifest"]]
    results = found["validation_results"]["activeManifest"]
    actions = (
        action
        for each in manifest.get("assertions", ())
        if each["label"].startswith("c2pa.actions")
        for action in each["data"]["actions"]
    )
    return Credentials(
        state=found["validation_state"].lower(),
        failures=tuple(failure["code"] for failure in results["failure"]),
        title=manifest.get("title", ""),
        signer=manifest.get("signature_info", {}).get("common_name", ""),
        made=next((action.get("digitalSourceType", "") for action in actions), ""),
        sources=tuple(
            (each.get("title", ""), each.get("metadata", {}).get("licence", ""))
            for each in manifest.get("ingredients", ())
        ),
    )


def _manifest(work: Work) -> str:
    sources = [Source.of(name) for name in work.data]
    created = {
        "action": "c2pa.created",
        "digitalSourceType": MADE_BY_MODEL,
        "description": json.dumps({"name": work.name, "parameters": dict(work.parameters), "weights": work.weights}),
    }
    return json.dumps(
        {
            "title": work.title,
            "claim_generator_info": [{"name": "Large Models for Art"}],
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
            "ingredients": [_ingredient(source) for source in sources],
        }
    )


def _ingredient(source: Source) -> Mapping[str, Any]:
    about = {"authors": source.authors, "licence": source.licence, "sha256": source.sha256}
    return {
        "title": f"{source.name} {source.version}",
        "format": "application/octet-stream",
        "relationship": "inputTo",
        "metadata": about,
    }


def _context(root: bytes) -> c2pa.Context:
    trust = {"trust_anchors": root.decode()} if root else {}
    # Nothing is asked of the network, and no small picture of the work is put beside it.
    verify = {"verify_trust": True, "ocsp_fetch": False, "remote_manifest_fetch": False}
    return c2pa.Context.from_dict({"trust": trust, "verify": verify, "builder": {"thumbnail": {"enabled": False}}})


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, is_root: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(_USAGES, False) | dict.fromkeys(_USAGES[-2:] if is_root else _USAGES[:1], True)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), True),
        (x509.KeyUsage(**usage, encipher_only=False, decipher_only=False), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
    ]
    if not is_root:
        # One of the purposes that the specification allows to sign claims.
        extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False))
    builder = x509.CertificateBuilder(
        issuer_name=_name(issuer),
        subject_name=_name(subject),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + _VALID,
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Large Models for Art, tests")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common), organisation])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
