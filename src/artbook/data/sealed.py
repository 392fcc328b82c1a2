"""Data sets encrypted at rest: one file, sealed under a passphrase, that shows every change (chapter ``privacy``).

The cipher is AES-256 in Galois/counter mode (NIST SP 800-38D), which encrypts and authenticates; the key is made of
the passphrase by scrypt (RFC 7914), with a salt of the file's own. The file is, in this order:

====== ======================================================================
bytes  what they are
====== ======================================================================
8      ``ARTSEAL1``: what this is, and its version
1      the logarithm of scrypt's cost to the base 2
16     the salt, random for each file
12     the nonce, random for each file
n + 16 the encrypted content and its tag
====== ======================================================================

The first 37 bytes are readable and are authenticated with the content. The length of the content shows.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from artbook.data.store import write_atomically

MAGIC = b"ARTSEAL1"
COST = 15
_SALT, _NONCE, _TAG = 16, 12, 16
_HEADER = len(MAGIC) + 1 + _SALT + _NONCE
# Below, guessing is cheap; above, a hostile file could ask for more memory than there is (2**20 kB for 2**20).
_COSTS = range(10, 21)


def seal(content: bytes, passphrase: str, cost: int = COST) -> bytes:
    """Encrypt and authenticate.

    Args:
        content: any bytes.
        passphrase: at least 12 characters.
        cost: the logarithm of scrypt's cost to the base 2, 10 to 20; 15 takes 32 MiB and about a tenth of a second.

    Returns:
        The sealed file, 53 bytes longer; another one at each call.

    Raises:
        ValueError: the passphrase is shorter, or the cost out of range.
    """
    if len(passphrase) < 12:
        raise ValueError(f"a passphrase of at least 12 characters was wanted; one of {len(passphrase)} was given")
    if isinstance(cost, bool) or cost not in _COSTS:
        raise ValueError(f"a cost from {_COSTS[0]} to {_COSTS[-1]} was wanted; {cost!r} was given")
    header = MAGIC + bytes([cost]) + os.urandom(_SALT + _NONCE)
    return header + AESGCM(_key(passphrase, header)).encrypt(header[-_NONCE:], content, header)


def unseal(sealed: bytes, passphrase: str) -> bytes:
    """Check and decrypt; nothing is returned of a file that is not whole.

    Args:
        sealed: what ``seal`` made.
        passphrase: the one it was sealed with.

    Raises:
        ValueError: it is no such file or is cut short; or the passphrase is another, or a byte was changed. Which of
            the last two it was cannot be told, because a wrong key and a changed file look the same.
    """
    if sealed[: len(MAGIC)] != MAGIC:
        raise ValueError(f"a sealed file, which begins with {MAGIC!r}, was wanted; {sealed[:8]!r} was given")
    if len(sealed) < _HEADER + _TAG:
        raise ValueError(f"a sealed file of at least {_HEADER + _TAG} bytes was wanted; {len(sealed)} were given")
    header, body = sealed[:_HEADER], sealed[_HEADER:]
    if header[len(MAGIC)] not in _COSTS:
        raise ValueError(f"a cost from {_COSTS[0]} to {_COSTS[-1]} was wanted; the file says {header[len(MAGIC)]}")
    try:
        return AESGCM(_key(passphrase, header)).decrypt(header[-_NONCE:], body, header)
    except InvalidTag:
        raise ValueError("the passphrase is another, or the file was changed: the seal does not fit") from None


def write(path: Path, content: bytes, passphrase: str, cost: int = COST) -> None:
    """Seal into a file, which is there whole or not at all.

    Raises:
        ValueError: as ``seal``.
        OSError: the file cannot be written; what was there before still is.
    """
    write_atomically(path, seal(content, passphrase, cost))


def read(path: Path, passphrase: str) -> bytes:
    """The content of a sealed file.

    Raises:
        ValueError: as ``unseal``, with the file's name before it.
        OSError: the file cannot be read.
    """
    try:
        return unseal(path.read_bytes(), passphrase)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _key(passphrase: str, header: bytes) -> bytes:
    cost, salt = header[len(MAGIC)], header[len(MAGIC) + 1 : -_NONCE]
    return Scrypt(salt=salt, length=32, n=2**cost, r=8, p=1).derive(passphrase.encode())
