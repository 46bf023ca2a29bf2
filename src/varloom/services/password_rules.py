"""What may be a password, and the form in which it is kept.

That is Argon2id with the parameters of RFC 9106 for little memory.
"""

from __future__ import annotations

import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

from varloom.errors import VarloomError
from varloom.services.account_problems import PASSWORD_UNFIT

SHORTEST = 10
LONGEST = 1024

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
"""64 MiB of memory and 3 passes: about a tenth of a second."""

_FIRST_GUESSES = """
1234567890 0123456789 9876543210 123456789a 1q2w3e4r5t q1w2e3r4t5 qwertyuiop qwerty12345 qwertzuiop asdfghjkl1
abcdefghij abcdefghijk passwordpassword password12 password123 password1234 password!! passw0rd123 administrator
changemeplease changeme123 letmein123 letmeinplease iloveyou123 welcome123 welcome1234 sunshine123 superman123
football123 baseball123 princess123 dragon12345 monkey12345 trustno1trustno1 secretsecret laboratory laboratory1
sequencing sequencing1 bioinformatics genomics123
"""
_COMMON = frozenset(_FIRST_GUESSES.split())
"""What is tried first by those who guess."""


def normalised(password: str) -> str:
    """The same characters for the same keys, whatever the keyboard composes: NFKC."""
    return unicodedata.normalize("NFKC", password)


def checked(password: str, *, name: str) -> str:
    """The password in the form in which it is hashed.

    Args:
        password: as it was typed.
        name: of the account, which is no password.

    Raises:
        VarloomError: `password_unfit`, with what it lacks; the password itself is in no message.
    """
    given = normalised(password)
    if not SHORTEST <= len(given) <= LONGEST:
        raise VarloomError(PASSWORD_UNFIT, f"A password has {SHORTEST} to {LONGEST:,} characters.")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in given):
        raise VarloomError(PASSWORD_UNFIT, "A password has no control characters.")
    plain = re.sub(r"\s+", "", given).casefold()
    own = normalised(name).casefold()
    if plain in _COMMON or len(set(plain)) < 5 or (plain.replace(own, "") == "" if own else False):
        raise VarloomError(PASSWORD_UNFIT, "This password is among the first that anybody would try.")
    return given


def hashed(password: str) -> str:
    """The form in which a checked password is kept, with a salt of its own. Takes a tenth of a second and 64 MiB."""
    return _HASHER.hash(password)


def matches(kept: str, password: str) -> bool:
    """Whether a password is the one that was kept. Takes as long whether it is or not."""
    try:
        return _HASHER.verify(kept, normalised(password))
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        return False


def is_old(kept: str) -> bool:
    """Whether the password should be hashed anew, since other parameters are in use now."""
    return _HASHER.check_needs_rehash(kept)
