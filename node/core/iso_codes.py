"""The ISO code lists that documents use: currencies with their minor units (4217), countries (3166-1 alpha-2)."""

from __future__ import annotations

from typing import Final

__all__ = ["COUNTRIES", "MINOR_UNITS", "is_country", "is_currency"]

# ISO 4217 list one (maintained by SIX), state of 2026: BGN, ANG, HRK, SLL, ZWL and CUC are withdrawn. Codes for which
# the standard states no minor unit (gold XAU, drawing rights XDR, test XTS, none XXX...) are left out: nothing can be
# invoiced in them, because no rounding is defined.
_BY_MINOR_UNIT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW"
        " CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF"
        " IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK"
        " MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP"
        " SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER"
        " XAD ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

MINOR_UNITS: Final[dict[str, int]] = {
    code: decimals for decimals, codes in _BY_MINOR_UNIT.items() for code in codes.split()
}
"""Decimals of each active currency, by its code."""

# ISO 3166-1 alpha-2, officially assigned, and XI and XK, which documents need although ISO only leaves them to users:
# Northern Ireland in VAT numbers since 2021, and Kosovo as the EU writes it.
COUNTRIES: Final[frozenset[str]] = frozenset(
    (
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT"
        " BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH"
        " ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT"
        " HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS"
        " LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI"
        " NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG"
        " SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG"
        " UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XI XK"
    ).split()
)
"""Country codes that documents may state."""


def is_currency(code: str) -> bool:
    """Whether `code` is an active ISO 4217 currency with a minor unit (``EUR``, upper case)."""
    return code in MINOR_UNITS


def is_country(code: str) -> bool:
    """Whether `code` is an ISO 3166-1 alpha-2 country (``DE``, upper case), or XI or XK."""
    return code in COUNTRIES
