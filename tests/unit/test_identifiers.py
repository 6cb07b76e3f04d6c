"""Identifiers: published examples of each, and what is refused."""

from __future__ import annotations

import pytest

from node.core.identifiers import (
    RESTRICTED_NUMBER_MAX,
    check_digit,
    check_gln,
    check_gtin,
    check_participant,
    check_sscc,
    gtin14,
    is_gln,
    is_gtin,
    is_participant,
    is_restricted_gtin,
    is_sscc,
    restricted_gtin,
    split_participant,
    wrong_gtins,
)
from node.core.item_key import number_of
from node.errors import RefusedError

# 6291041500213 and 376104250021234569: GS1, "How to calculate a check digit manually". The others: Wikipedia, articles
# on the International Article Number, EAN-8 and the Universal Product Code.
PUBLISHED_GTINS = ["6291041500213", "4006381333931", "73513537", "036000291452"]


@pytest.mark.parametrize("text", PUBLISHED_GTINS)
def test_published_gtins_check(text: str) -> None:
    assert is_gtin(text)
    assert check_gtin(text) == text
    assert gtin14(text) == text.rjust(14, "0")
    assert gtin14(gtin14(text)) == gtin14(text)


def test_published_sscc_checks() -> None:
    assert check_digit("37610425002123456") == "9"
    assert is_sscc("376104250021234569")
    assert check_sscc("376104250021234569") == "376104250021234569"


BAD_KEYS = ["", "0", "abc", "4006381333932", "400638133393", "40063813339311", "4006381333931 ", "٤٠٠٦٣٨١٣٣٣٩٣١"]


@pytest.mark.parametrize("text", [*BAD_KEYS, "0" * 8, "0" * 13, "0" * 14, "4" * 10_000, "400638133393X"])
def test_wrong_keys_are_refused_and_the_reason_is_said(text: str) -> None:
    assert not is_gtin(text)
    assert not is_gln(text)
    assert not is_sscc(text)
    for check, code in ((gtin14, "bad-gtin"), (check_gln, "bad-gln"), (check_sscc, "bad-sscc")):
        with pytest.raises(RefusedError) as caught:
            check(text)
        assert caught.value.code == code
        assert len(caught.value.message) < 250


def test_a_wrong_check_digit_is_named() -> None:
    with pytest.raises(RefusedError, match="ends in 2, but its check digit is 1"):
        gtin14("4006381333932")


def test_a_column_of_gtins_is_judged_as_each_alone() -> None:
    texts = [*PUBLISHED_GTINS, "4006381333932", "", "00000000", "0" * 14, "12", "٠" * 13, "4006381333931 ", "-" * 13]
    texts += ["1" * 15, "2" * 13]  # together as long as two
    for column in (texts, PUBLISHED_GTINS, [*PUBLISHED_GTINS, "4006381333932"], [*PUBLISHED_GTINS, "0" * 13], []):
        assert wrong_gtins(column) == [place for place, text in enumerate(column) if not is_gtin(text)]


def test_restricted_numbers_lie_in_prefixes_20_to_29() -> None:
    assert restricted_gtin(0) == "2000000000008"
    assert restricted_gtin(RESTRICTED_NUMBER_MAX).startswith("29")
    for number in (-1, RESTRICTED_NUMBER_MAX + 1):
        with pytest.raises(RefusedError):
            restricted_gtin(number)


@pytest.mark.parametrize("body", ["020000000001", "040000000001", "2123456", "0123456"])
def test_restricted_ranges_are_recognised(body: str) -> None:
    assert is_restricted_gtin(body + check_digit(body))


@pytest.mark.parametrize("text", PUBLISHED_GTINS)
def test_ordinary_gtins_are_not_restricted(text: str) -> None:
    assert not is_restricted_gtin(text)


# 506700GE1G29325QX363 is GLEIF's own LEI.
@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0088:4012345000009", "0088:4012345000009"),
        ("0060:812810734", "0060:812810734"),
        ("0199:506700GE1G29325QX363", "0199:506700GE1G29325QX363"),
        ("0199:506700ge1g29325qx363", "0199:506700GE1G29325QX363"),
        ("9930:de123456789", "9930:DE123456789"),
        ("9914:ATU12345678", "9914:ATU12345678"),
        ("9957:FR12345678901", "9957:FR12345678901"),
        ("9944:NL123456789B01", "9944:NL123456789B01"),
        ("9927:CHE123456789MWST", "9927:CHE123456789MWST"),
        ("0208:0123456789", "0208:0123456789"),
        ("0195:SGUEN200001234X", "0195:SGUEN200001234X"),
        ("hansa:0123456789abcdef0123456789abcdef", "hansa:0123456789abcdef0123456789abcdef"),
    ],
)
def test_participants_have_one_spelling(text: str, canonical: str) -> None:
    assert check_participant(text) == canonical
    assert ":".join(split_participant(text)) == canonical
    assert is_participant(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "4012345000009",
        "0088:",
        "0088:4012345000008",
        "0088: 4012345000009",
        "88:4012345000009",
        "٠٠٨٨:4012345000009",
        "0060:12345678",
        "0199:506700GE1G29325QX364",
        "0199:506700GE1G29325QXSS3",
        "9930:123456789",
        "9930:DE12345678",
        "9930:DE１２３４５６７８９",
        "9930:DE123456789\n",
        "hansa:0123456789ABCDEF0123456789ABCDEF",
        "hansa:0123",
        "HANSA:0123456789abcdef0123456789abcdef",
        "0195:",
        "0195:a b",
        "0195:" + "a" * 51,
        "0195:../../etc/passwd",
        "x" * 10_000,
    ],
)
def test_wrong_participants_are_refused(text: str) -> None:
    assert not is_participant(text)
    with pytest.raises(RefusedError) as caught:
        check_participant(text)
    assert caught.value.code == "bad-participant"
    assert len(caught.value.message) < 250


@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("gtin:04006381333931", "4006381333931"),
        ("gtin:00000073513537", "73513537"),
        ("gtin:00036000291452", "036000291452"),
        ("gtin:14006381333938", "14006381333938"),
        ("no:0088:4012345000009:BEAR", "BEAR"),
        ("no:hansa:k3y:A:1", "A:1"),
        ("", ""),
        ("description of something", "description of something"),
    ],
)
def test_a_key_is_told_by_the_number_that_people_know(key: str, number: str) -> None:
    assert number_of(key) == number
