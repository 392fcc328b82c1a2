"""A data-use agreement as a file beside the data, which the loader enforces (chapter ``privacy``).

It says in JSON what people agreed on: which data, by their hash; between whom; for which purposes; until which day;
which fields nobody may have; under which licence. ``load`` hands out the data only to a use that fits. It keeps honest
programs honest: who has the file can read it without asking, which is what ``artbook.data.sealed`` is for.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from artbook.data.store import write_atomically


class AgreementError(ValueError):
    """A use of data that the agreement does not allow."""


@dataclass(frozen=True)
class Agreement:
    """What was agreed on.

    Attributes:
        data_sha256: of the file's bytes, 64 hexadecimal digits.
        giver: who gives the data.
        users: who may use them, at least one.
        purposes: what for, at least one: ``research``, ``training``.
        until: the last day of use.
        withheld: names of fields that are handed to nobody.
        licence: the terms in words or by name.
    """

    data_sha256: str
    giver: str
    users: tuple[str, ...]
    purposes: tuple[str, ...]
    until: date
    withheld: tuple[str, ...]
    licence: str

    def __post_init__(self) -> None:
        if (
            not isinstance(self.data_sha256, str)
            or len(self.data_sha256) != 64
            or set(self.data_sha256) - set("0123456789abcdef")
        ):
            raise ValueError(f"data_sha256: 64 hexadecimal digits were wanted; {self.data_sha256!r} was given")
        if not isinstance(self.until, date):
            raise ValueError(f"until: a day was wanted; {self.until!r} was given")
        for name in ("giver", "licence"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ValueError(f"{name}: a text was wanted; {getattr(self, name)!r} was given")
        for name, least in (("users", 1), ("purposes", 1), ("withheld", 0)):
            texts = getattr(self, name)
            if not isinstance(texts, tuple) or len(texts) < least or not all(isinstance(t, str) and t for t in texts):
                raise ValueError(f"{name}: at least {least} texts were wanted; {texts!r} was given")

    def to_json(self) -> str:
        """The agreement as a file's text."""
        return json.dumps(asdict(self) | {"until": self.until.isoformat()}, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Agreement":
        """Read an agreement.

        Raises:
            ValueError: it is no JSON object with just the fields of an agreement, or one of them is not as described.
        """
        try:
            fields = json.loads(text)
            wanted, given = set(cls.__dataclass_fields__), set(fields)
        except (ValueError, TypeError) as error:
            raise ValueError(f"an agreement in JSON was wanted; {error}") from None
        if not isinstance(fields, dict) or wanted != given:
            raise ValueError(f"the fields {sorted(wanted)} were wanted; {sorted(map(str, given))} were given")
        lists = {name: fields[name] for name in ("users", "purposes", "withheld")}
        if wrong := [name for name, value in lists.items() if not isinstance(value, list)]:
            raise ValueError(f"lists were wanted as {', '.join(wrong)}; {lists[wrong[0]]!r} was given")
        try:
            until = date.fromisoformat(fields["until"])
        except (TypeError, ValueError):
            raise ValueError(f"until: a day such as 2027-12-31 was wanted; {fields['until']!r} was given") from None
        return cls(**fields | {name: tuple(value) for name, value in lists.items()} | {"until": until})

    def allow(self, content: bytes, *, user: str, purpose: str, today: date) -> None:
        """Return if this use of these data is agreed on.

        Raises:
            AgreementError: the data have another hash, or user or purpose is none of those named, or the day is past.
        """
        if (digest := hashlib.sha256(content).hexdigest()) != self.data_sha256:
            raise AgreementError(f"the agreement is on data {self.data_sha256[:12]}…; these are {digest[:12]}…")
        if user not in self.users:
            raise AgreementError(f"the agreement is with {', '.join(self.users)}; {user!r} asked")
        if purpose not in self.purposes:
            raise AgreementError(f"the agreement is for {', '.join(self.purposes)}; {purpose!r} was asked for")
        if today > self.until:
            raise AgreementError(f"the agreement ended on {self.until}; the day is {today}")


def agree(path: Path, content: bytes, **terms: Any) -> Agreement:
    """Write data and, beside them, the agreement on them.

    Args:
        path: of the data, a JSON list of objects; the agreement gets ``.agreement.json`` after its name.
        content: the data.
        terms: the other fields of ``Agreement``.

    Raises:
        ValueError: the terms are not as described.
        OSError: a file cannot be written.
    """
    agreement = Agreement(hashlib.sha256(content).hexdigest(), **terms)
    # The agreement comes first: data without one are not handed out, so no order leaves them open.
    write_atomically(_beside(path), agreement.to_json().encode())
    write_atomically(path, content)
    return agreement


def load(
    path: Path, *, user: str, purpose: str, fields: Sequence[str], today: date | None = None
) -> list[dict[str, Any]]:
    """The fields that are asked for, if the agreement beside the file allows the use.

    Args:
        path: of the data, a JSON list of objects.
        user: who asks.
        purpose: what for.
        fields: which fields; the others are not handed out.
        today: the day; left out, the computer's.

    Raises:
        AgreementError: there is no agreement, or it does not allow this use or one of the fields.
        ValueError: the agreement or the data cannot be read, or a record lacks a field.
        OSError: the data are not there.
    """
    beside = _beside(path)
    if not beside.is_file():
        raise AgreementError(f"{path.name}: an agreement was wanted beside it, {beside.name}; there is none")
    agreement = Agreement.from_json(beside.read_text(encoding="utf-8"))
    content = path.read_bytes()
    agreement.allow(content, user=user, purpose=purpose, today=today or date.today())
    if closed := [name for name in fields if name in agreement.withheld]:
        raise AgreementError(f"the agreement withholds {', '.join(agreement.withheld)}; {', '.join(closed)} was asked")
    records: Sequence[Mapping[str, Any]] = json.loads(content)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError(f"{path.name}: a JSON list of objects was wanted; it holds something else")
    if missing := [name for name in fields if not all(name in record for record in records)]:
        raise ValueError(f"{path.name}: records with {', '.join(fields)} were wanted; some lack {', '.join(missing)}")
    return [{name: record[name] for name in fields} for record in records]


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.agreement.json")
