"""Identifiers and their check digits: GS1 keys (GTIN, GLN, SSCC), participant ids, and the ISO codes.

GS1 check digits are computed here in a few lines instead of by a library, because every order line carries some.
Source: GS1 General Specifications, section 7.9.1 (check digit) and 1.4.5 (restricted circulation numbers).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from node.core.iso_codes import is_country, is_currency
from node.errors import RefusedError

__all__ = [
    "check_digit",
    "check_gln",
    "check_gtin",
    "check_participant",
    "check_sscc",
    "gtin14",
    "is_country",
    "is_currency",
    "is_gln",
    "is_gtin",
    "is_participant",
    "is_restricted_gtin",
    "is_sscc",
    "restricted_gtin",
    "split_participant",
    "wrong_gtins",
]

RESTRICTED_NUMBER_MAX: Final = 10**11 - 1
"""Largest number that `restricted_gtin` takes: GTIN-13 less the leading 2 and the check digit."""

_SHOWN_MAX = 60
_GTIN_LENGTHS = frozenset({8, 12, 13, 14})
_DIGIT_OF_CODE = bytes((code - ord("0")) % 256 for code in range(256))
_TENS = bytes(range(0, 256, 10))


def check_digit(body: str) -> str:
    """The GS1 modulo 10 check digit for the digits before it: weights 3 and 1 in turn, from the right."""
    codes = body.encode("ascii")
    threes, ones = codes[::-2], codes[-2::-2]
    return str(-(3 * (sum(threes) - 48 * len(threes)) + sum(ones) - 48 * len(ones)) % 10)


def _is_key(text: str) -> bool:
    """Whether `text` is ASCII digits, not all zero, with the right check digit at its end."""
    return text.isascii() and text.isdigit() and text[-1] == check_digit(text[:-1]) and bool(text.strip("0"))


def is_gtin(text: str) -> bool:
    """Whether `text` is a GTIN-8, -12, -13 or -14 with the right check digit; all zeros, a placeholder, is none."""
    return len(text) in _GTIN_LENGTHS and _is_key(text)


def wrong_gtins(texts: Sequence[str]) -> list[int]:
    """The places of those texts that `is_gtin` says no to; a column at a time, for stock has a million of them.

    Measured: a fifth of the time of asking for each.
    """
    whole = "".join([text.zfill(14) for text in texts])
    if len(whole) != 14 * len(texts) or not whole.isascii() or not whole.isdigit():
        return [place for place, text in enumerate(texts) if not is_gtin(text)]
    digits = whole.encode().translate(_DIGIT_OF_CODE)
    # Every 14th byte is the same digit of each. As one long number with a byte for each text, a column of digits is
    # added in one step: no weighted sum is beyond 7 * 9 * 3 + 7 * 9 = 252. The check digit makes it a multiple of 10.
    threes, ones = (
        sum([int.from_bytes(digits[place::14], "little") for place in range(first, 14, 2)]) for first in (0, 1)
    )
    sums = (3 * threes + ones).to_bytes(len(texts), "little")
    # Only zeros alone add up to 0.
    if 0 not in sums and not sums.translate(None, _TENS) and _GTIN_LENGTHS.issuperset(map(len, texts)):
        return []
    return [place for place, text in enumerate(texts) if not is_gtin(text)]


def is_gln(text: str) -> bool:
    """Whether `text` is a GLN: 13 digits with the right check digit."""
    return len(text) == 13 and _is_key(text)


def is_sscc(text: str) -> bool:
    """Whether `text` is an SSCC, without its application identifier (00): 18 digits with the right check digit."""
    return len(text) == 18 and _is_key(text)


def check_gtin(text: str) -> str:
    """`text` when it is a GTIN, as it stands; raises RefusedError ``bad-gtin``."""
    if not is_gtin(text):
        raise _bad_key("GTIN", "8, 12, 13 or 14", text, len(text) in _GTIN_LENGTHS)
    return text


def gtin14(text: str) -> str:
    """The GTIN in 14 digits, filled with zeros on the left: the form for keys; raises RefusedError ``bad-gtin``.

    A GTIN names a pack level, so keys of the same article's packs differ, as they must.
    """
    return check_gtin(text).zfill(14)


def check_gln(text: str) -> str:
    """`text` when it is a GLN; raises RefusedError ``bad-gln``."""
    if not is_gln(text):
        raise _bad_key("GLN", "13", text, len(text) == 13)
    return text


def check_sscc(text: str) -> str:
    """`text` when it is an SSCC of 18 digits; raises RefusedError ``bad-sscc``."""
    if not is_sscc(text):
        raise _bad_key("SSCC", "18", text, len(text) == 18)
    return text


def _bad_key(name: str, lengths: str, text: str, length_fits: bool) -> RefusedError:
    """The refusal of a GS1 key, saying whether its length, its characters or its check digit is wrong."""
    hint = "Compare it with the label or the supplier's catalogue; leave it out when there is none."
    if length_fits and text.isascii() and text.isdigit():
        if text.strip("0"):
            why = f"ends in {text[-1]}, but its check digit is {check_digit(text[:-1])}"
        else:
            why = "is all zeros, which names nothing"
    else:
        why = f"is not {lengths} digits"
    return RefusedError(f"the {name} {text[:_SHOWN_MAX]!r} {why}", code=f"bad-{name.lower()}", hint=hint)


def restricted_gtin(number: int) -> str:
    """A GTIN-13 in the GS1 range for use inside one company (prefixes 20 to 29), for items that have no GTIN.

    `number` is 0 to `RESTRICTED_NUMBER_MAX`. Such a number means nothing to anybody else: never send it as a GTIN
    without the party whose it is. Raises RefusedError ``out-of-range``.
    """
    if not 0 <= number <= RESTRICTED_NUMBER_MAX:
        raise RefusedError(
            f"{number} does not fit a GTIN-13 for restricted circulation",
            code="out-of-range",
            hint=f"Use a number from 0 to {RESTRICTED_NUMBER_MAX}.",
        )
    body = f"2{number:011d}"
    return body + check_digit(body)


def is_restricted_gtin(text: str) -> bool:
    """Whether a GTIN is of restricted circulation: two companies may use the same one for different articles.

    These are GTIN-13 with prefixes 02, 04 and 20 to 29, and GTIN-8 with prefixes 0 and 2.
    Raises RefusedError ``bad-gtin``.
    """
    key = gtin14(text)
    if key.startswith("000000"):
        return key[6] in "02"
    return key[1] == "2" or key[1:3] in {"02", "04"}


# VAT numbers with their country prefix, by the electronic address scheme of Peppol (code list "Participant identifier
# schemes", also EAS). EU shapes as published for VIES; the others are published by each country. Whether a number
# is really given out is not known here: ids count as claimed until the partner is confirmed.
_VAT_SHAPES: Final = {
    "9906": r"IT[0-9]{11}",
    "9909": r"NO[0-9]{9}(?:MVA)?",
    "9910": r"HU[0-9]{8}",
    "9914": r"ATU[0-9]{8}",
    "9920": r"ES[A-Z0-9][0-9]{7}[A-Z0-9]",
    "9922": r"AD[A-Z][0-9]{6}[A-Z]",
    "9923": r"AL[A-Z][0-9]{8}[A-Z]",
    "9924": r"BA[0-9]{12,13}",
    "9925": r"BE[01][0-9]{9}",
    "9926": r"BG[0-9]{9,10}",
    "9927": r"CHE[0-9]{9}(?:MWST|TVA|IVA)?",
    "9928": r"CY[0-9]{8}[A-Z]",
    "9929": r"CZ[0-9]{8,10}",
    "9930": r"DE[0-9]{9}",
    "9931": r"EE[0-9]{9}",
    "9932": r"GB(?:[0-9]{9}|[0-9]{12}|GD[0-9]{3}|HA[0-9]{3})",
    "9933": r"EL[0-9]{9}",
    "9934": r"HR[0-9]{11}",
    "9935": r"IE[0-9][A-Z0-9+*][0-9]{5}[A-Z]{1,2}",
    "9936": r"LI[0-9]{5}",
    "9937": r"LT(?:[0-9]{9}|[0-9]{12})",
    "9938": r"LU[0-9]{8}",
    "9939": r"LV[0-9]{11}",
    "9940": r"(?:MC|FR)[A-Z0-9]{2}[0-9]{9}",
    "9941": r"ME[0-9]{8}",
    "9942": r"MK[0-9]{13}",
    "9943": r"MT[0-9]{8}",
    "9944": r"NL[0-9]{9}B[0-9]{2}",
    "9945": r"PL[0-9]{10}",
    "9946": r"PT[0-9]{9}",
    "9947": r"RO[0-9]{2,10}",
    "9948": r"RS[0-9]{9}",
    "9949": r"SI[0-9]{8}",
    "9950": r"SK[0-9]{10}",
    "9951": r"SM[0-9]{3,5}",
    "9952": r"TR[0-9]{10}",
    "9953": r"VA[0-9]{11}",
    "9955": r"SE[0-9]{12}",
    "9957": r"FR[A-Z0-9]{2}[0-9]{9}",
}
_SHAPES: Final = {
    scheme: re.compile(shape)
    for scheme, shape in (
        _VAT_SHAPES
        | {
            "0007": r"[0-9]{10}",
            "0060": r"[0-9]{9}",
            "0106": r"[0-9]{8}",
            "0184": r"(?:DK)?[0-9]{8}",
            "0192": r"[0-9]{9}",
            "0199": r"[A-Z0-9]{18}[0-9]{2}",
            "0208": r"[01][0-9]{9}",
        }
    ).items()
}
_UPPER_CASE: Final = frozenset(_VAT_SHAPES) | {"0184", "0199"}
_SCHEME = re.compile(r"[0-9]{4}").fullmatch
_OWN_KEY = re.compile(r"[0-9a-f]{32}").fullmatch
_ANY_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+*._/-]{0,49}").fullmatch


def split_participant(text: str) -> tuple[str, str]:
    """Scheme and value of a participant id, both checked, letters as the scheme writes them.

    ``0088`` (GLN) and ``0199`` (LEI) by check digit; ``0060`` (DUNS), ``9930`` (VAT Germany) and the other schemes
    listed here by shape; ``hansa`` (derived from a key) as 32 lower-case hex digits; any other scheme of ISO 6523 (four
    digits) as up to 50 plain characters, since that list grows without us. Raises RefusedError ``bad-participant``.
    """
    scheme, colon, value = text.partition(":")
    if not colon:
        raise _bad_participant(text, "has no scheme")
    if scheme == "hansa":
        if _OWN_KEY(value) is None:
            raise _bad_participant(text, "is not 32 lower-case hex digits after the colon")
        return scheme, value
    if _SCHEME(scheme) is None:
        raise _bad_participant(text, "has a scheme that is not four digits")
    if scheme == "0088":
        if not is_gln(value):
            raise _bad_participant(text, "is not a GLN of 13 digits with the right check digit")
        return scheme, value
    if scheme in _UPPER_CASE and value.isascii():
        value = value.upper()
    shape = _SHAPES.get(scheme)
    if _ANY_VALUE(value) is None or (shape is not None and shape.fullmatch(value) is None):
        raise _bad_participant(text, f"does not have the shape of scheme {scheme}")
    if scheme == "0199" and not _is_lei(value):
        raise _bad_participant(text, "is not an LEI: its last two digits do not check")
    return scheme, value


def check_participant(text: str) -> str:
    """The participant id ``scheme:value`` in its one spelling; raises RefusedError ``bad-participant``."""
    scheme, value = split_participant(text)
    return f"{scheme}:{value}"


def is_participant(text: str) -> bool:
    """Whether `text` is a participant id that `check_participant` takes, in any spelling."""
    try:
        split_participant(text)
    except RefusedError:
        return False
    return True


def _is_lei(value: str) -> bool:
    """ISO 17442: letters count as 10 to 35, and the whole number leaves 1 when divided by 97 (ISO 7064 MOD 97-10)."""
    return int("".join(str(int(char, 36)) for char in value)) % 97 == 1


def _bad_participant(text: str, why: str) -> RefusedError:
    """The refusal of a participant id."""
    return RefusedError(
        f"the participant id {text[:_SHOWN_MAX]!r} {why}",
        code="bad-participant",
        hint="Write scheme:value, such as 0088:4012345000009 (GLN), 0060:123456789 (DUNS) or 9930:DE123456789 (VAT).",
    )
