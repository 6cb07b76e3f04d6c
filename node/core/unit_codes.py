"""The table of unit codes: those of UN/ECE Recommendation 20 that trade uses, with exact factors.

Source: UN/ECE Recommendation 20, Annexes I to III. Codes that are marked there as deleted (KTM, ST, PK) are left out.

Factors are exact by definition: the international yard and pound of 1959 (0.9144 m, 0.45359237 kg), the US gallon of
231 cubic inches, the imperial gallon of 4.54609 l. Rec 20 prints many of them rounded; exact ones are used here, so
that a conversion there and back gives the same number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from node.core.package_codes import PACKAGES
from node.errors import RefusedError

__all__ = ["PIECES", "UNITS", "Unit", "check_unit", "is_unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of measure: `factor` base units of its `dimension`, or no factor where it converts only per item."""

    code: str
    name: str
    dimension: str
    factor: Fraction | None


PIECES: Final = frozenset({"C62", "EA", "H87"})
"""The codes that all mean one piece; C62 is the canonical one."""

# code, factor to the dimension's base unit, name. Factors are decimals or fractions, read exactly.
_MEASURES: Final = {
    # base: one piece. A pair is two pieces, for shoes as for gloves, because Rec 20 says so.
    "count": """
        C62 1 one
        EA 1 each
        H87 1 piece
        NAR 1 number of articles
        PR 2 pair
        NPR 2 number of pairs
        TP 10 ten pack
        DZN 12 dozen
        DPC 12 dozen piece
        SCO 20 score
        TPR 20 ten pair
        DPR 24 dozen pair
        CEN 100 hundred
        HC 100 hundred count
        GRO 144 gross
        MIL 1000 thousand
        T3 1000 thousand piece
        E12 1000 mille
        GGR 1728 great gross
        MIO 1000000 million
        MLD 1000000000 milliard
        BIL 1000000000000 billion (EUR)
    """,
    # base: kilogram
    "mass": """
        KGM 1 kilogram
        MC 0.000000001 microgram
        MGM 0.000001 milligram
        CGM 0.00001 centigram
        DG 0.0001 decigram
        GRM 0.001 gram
        DJ 0.01 decagram
        HGM 0.1 hectogram
        DTN 100 decitonne
        TNE 1000 tonne (metric ton)
        2U 1000 megagram
        KTN 1000000 kilotonne
        CTM 0.0002 metric carat
        DRI 0.0017718451953125 dram (UK)
        DRA 0.0038879346 dram (US)
        GRN 0.00006479891 grain
        DWT 0.00155517384 pennyweight
        ONZ 0.028349523125 ounce (avoirdupois)
        APZ 0.0311034768 troy ounce or apothecary ounce
        LBT 0.3732417216 troy pound (US)
        LBR 0.45359237 pound
        M86 0.5 pfund
        STI 6.35029318 stone (UK)
        CNT 45.359237 cental (UK)
        CWA 45.359237 hundred pound (cwt) / hundred weight (US)
        QTR 12.70058636 quarter (UK)
        CWI 50.80234544 hundred weight (UK)
        STN 907.18474 ton (US) or short ton (UK/US)
        LTN 1016.0469088 ton (UK) or long ton (US)
    """,
    # base: metre
    "length": """
        MTR 1 metre
        C45 0.000000001 nanometre
        4H 0.000001 micrometre (micron)
        MMT 0.001 millimetre
        CMT 0.01 centimetre
        DMT 0.1 decimetre
        A45 10 decametre
        HMT 100 hectometre
        JPS 100 hundred metre
        KMT 1000 kilometre
        MAM 1000000 megametre
        LM 1 linear metre
        77 0.0000254 milli-inch
        INH 0.0254 inch
        FOT 0.3048 foot
        LF 0.3048 linear foot
        YRD 0.9144 yard
        LY 0.9144 linear yard
        AK 1.8288 fathom
        X1 20.1168 Gunter's chain
        M50 201.168 furlong
        SMI 1609.344 mile (statute mile)
        NMI 1852 nautical mile
    """,
    # base: square metre
    "area": """
        MTK 1 square metre
        MMK 0.000001 square millimetre
        CMK 0.0001 square centimetre
        DMK 0.01 square decimetre
        ARE 100 are
        H16 100 square decametre
        DAA 1000 decare
        HAR 10000 hectare
        H18 10000 square hectometre
        KMK 1000000 square kilometre
        SQR 9.290304 square, roofing
        BB 20.2322176 base box
        56 100 sitas
        INK 0.00064516 square inch
        FTK 0.09290304 square foot
        YDK 0.83612736 square yard
        MIK 2589988.110336 square mile (statute mile)
    """,
    # base: litre, so that factors stay short; 1000 litres are a cubic metre exactly
    "volume": """
        LTR 1 litre
        4G 0.000001 microlitre
        MLT 0.001 millilitre
        CLT 0.01 centilitre
        DLT 0.1 decilitre
        A44 10 decalitre
        HLT 100 hectolitre
        K6 1000 kilolitre
        MAL 1000000 megalitre
        MMQ 0.000001 cubic millimetre
        CMQ 0.001 cubic centimetre
        DMQ 1 cubic decimetre
        MTQ 1000 cubic metre
        G26 1000 stere
        FF 100000 hundred cubic metre
        R9 1000000 thousand cubic metre
        HMQ 1000000000 million cubic metre
        DMA 1000000 cubic decametre
        INQ 0.016387064 cubic inch
        FTQ 28.316846592 cubic foot
        HH 2831.6846592 hundred cubic foot
        FC 28316.846592 thousand cubic foot
        YDQ 764.554857984 cubic yard
        OZA 0.0295735295625 fluid ounce (US)
        OZI 0.0284130625 fluid ounce (UK)
        GIA 0.11829411825 gill (US)
        GII 0.1420653125 gill (UK)
        PTL 0.473176473 liquid pint (US)
        PTD 0.5506104713575 dry pint (US)
        PTI 0.56826125 pint (UK)
        QTL 0.946352946 liquid quart (US)
        QTD 1.101220942715 dry quart (US)
        QTI 1.1365225 quart (UK)
        GLL 3.785411784 gallon (US)
        GLD 4.40488377086 dry gallon (US)
        GLI 4.54609 gallon (UK)
        WG 3.785411784 wine gallon
        G25 0.00492892159375 teaspoon (US)
        G24 0.01478676478125 tablespoon (US)
        G21 0.2365882365 cup [unit of volume]
        G23 8.80976754172 peck
        L43 9.09218 peck (UK)
        BUA 35.23907016688 bushel (US)
        BUI 36.36872 bushel (UK)
        BLD 115.627123584 dry barrel (US)
        BLL 158.987294928 barrel (US)
        B4 163.65924 barrel, imperial
        BFT 2.359737216 board foot
        BP 235.9737216 hundred board foot
        MBF 2359.737216 thousand board foot
        WCD 3624.556363776 cord
        M68 3624.556363776 cord (128 ft3)
        WSD 4672.27968768 standard
    """,
    # base: second
    "time": """
        SEC 1 second [unit of time]
        B98 0.000001 microsecond
        C26 0.001 millisecond
        MIN 60 minute [unit of time]
        HUR 3600 hour
        DAY 86400 day
        WEE 604800 week
        DAD 864000 ten day
    """,
    # base: month. Rec 20 prints averages in seconds for these; contracts count in calendar months, never in seconds.
    "calendar": """
        MON 1 month
        QAN 3 quarter (of a year)
        SAN 6 half year (6 months)
        ANN 12 year
    """,
    # base: joule
    "energy": """
        JOU 1 joule
        KJO 1000 kilojoule
        3B 1000000 megajoule
        GV 1000000000 gigajoule
        D30 1000000000000 terajoule
        WHR 3600 watt hour
        KWH 3600000 kilowatt hour
        MWH 3600000000 megawatt hour (1000 kW.h)
        GWH 3600000000000 gigawatt hour
        D32 3600000000000000 terawatt hour
        E14 4186.8 kilocalorie (international table)
        N71 105505585.262 therm (EC)
        BTU 1055.05585262 British thermal unit (international table)
    """,
    # base: watt
    "power": """
        WTT 1 watt
        C31 0.001 milliwatt
        KWT 1000 kilowatt
        MAW 1000000 megawatt
        A90 1000000000 gigawatt
    """,
    # base: bit; the decimal byte units
    "data": """
        A99 1 bit
        AD 8 byte
        Q12 8 octet
        C37 1000 kilobit
        D36 1000000 megabit
        B68 1000000000 gigabit
        E64 8192 kibibyte
        E63 8388608 mebibyte
        E62 8589934592 gibibyte
        2P 8000 kilobyte
        4L 8000000 megabyte
        E34 8000000000 gigabyte
        E35 8000000000000 terabyte
        E36 8000000000000000 petabyte
    """,
    # base: litre of pure alcohol, which is not a litre of the drink
    "pure alcohol": """
        LPA 1 litre of pure alcohol
        HPA 100 hectolitre of pure alcohol
    """,
    # base: pascal
    "pressure": """
        PAL 1 pascal
        KPA 1000 kilopascal
        MBR 100 millibar
        BAR 100000 bar [unit of pressure]
        MPA 1000000 megapascal
    """,
    # base: volt
    "voltage": """
        VLT 1 volt
        2Z 0.001 millivolt
        KVT 1000 kilovolt
    """,
    # base: ampere
    "current": """
        AMP 1 ampere
        4K 0.001 milliampere
    """,
    # base: coulomb
    "charge": """
        COU 1 coulomb
        E09 3.6 milliampere hour
        AMH 3600 ampere hour
        TAH 3600000 kiloampere hour (thousand ampere hour)
    """,
    # base: hertz
    "frequency": """
        HTZ 1 hertz
        KHZ 1000 kilohertz
        MHZ 1000000 megahertz
        A86 1000000000 gigahertz
    """,
}

# Units without a general factor: they convert only by the item's own factor, and never silently. Kilograms of a named
# substance are here on purpose: a kilogram of fertiliser is not a kilogram of nitrogen. So are the
# acre (Rec 20 prints the survey acre, most people mean the international one, 4 parts in a million smaller), ream and
# quire (typically 500 and 25 sheets, says Rec 20, so not always), and packs of so many packs.
_OTHER: Final = """
    10 group
    11 outfit
    13 ration
    14 shot
    1I fixed rate
    20 twenty foot container
    21 forty foot container
    24 theoretical pound
    27 theoretical ton
    3C manmonth
    58 net kilogram
    59 part per million
    5B batch
    60 percent weight
    A9 rate
    AA ball
    AB bulk pack
    ACR acre
    ACT activity
    AS assortment
    ASM alcoholic strength by mass
    ASU alcoholic strength by volume
    AY assembly
    CCT carrying capacity in metric ton
    CEL degree Celsius
    CG card
    CLF hundred leave
    CNP hundred pack
    CTG content gram
    CTN content ton (metric)
    D46 volt - ampere
    D63 book
    D65 round
    D68 number of words
    DB dry pound
    DEC decade
    DPT displacement tonnage
    DRL dozen roll
    DT dry ton
    DZP dozen pack
    E21 shares
    E22 TEU
    E23 tyre
    E27 dose
    E28 air dry ton
    E30 strand
    E37 pixel
    E38 megapixel
    E4 gross kilogram
    E48 service unit
    E49 working day
    E50 accounting unit
    E51 job
    E53 test
    E54 trip
    E55 use
    FAH degree Fahrenheit
    GDW gram, dry weight
    GFI gram of fissile isotope
    GIC gram, including container
    GIP gram, including inner packaging
    H80 rack unit
    HA hank
    HBX hundred boxes
    HDW hundred kilogram, dry weight
    HEA head
    HIU hundred international unit
    HKM hundred kilogram, net mass
    IE person
    JNT pipeline joint
    KCC kilogram of choline chloride
    KDW kilogram drained net weight
    KEL kelvin
    KHY kilogram of hydrogen peroxide
    KIC kilogram, including container
    KIP kilogram, including inner packaging
    KMA kilogram of methylamine
    KNI kilogram of nitrogen
    KNS kilogram named substance
    KPH kilogram of potassium hydroxide (caustic potash)
    KPO kilogram of potassium oxide
    KPP kilogram of phosphorus pentoxide (phosphoric anhydride)
    KSD kilogram of substance 90 % dry
    KSH kilogram of sodium hydroxide (caustic soda)
    KT kit
    KUR kilogram of uranium
    KVA kilovolt - ampere
    KVR kilovar
    KWO kilogram of tungsten trioxide
    LEF leaf
    LH labour hour
    LN length
    LO lot [unit of procurement]
    LR layer
    LS lump sum
    LUB metric ton, lubricating oil
    LUM lumen
    LUX lux
    MD air dry metric ton
    MIU million international unit
    MND kilogram, dry weight
    MVA megavolt - ampere
    NCL number of cells
    NF message
    NIU number of international units
    NL load
    NM3 Normalised cubic metre
    NMP number of packs
    NPT number of parts
    NX part per thousand
    OA panel
    OHM ohm
    OT overtime hour
    P1 percent
    P5 five pack
    PD pad
    PFL proof litre
    PGL proof gallon
    PTN portion
    Q3 meal
    QB page - hardcopy
    QR quire
    RH running or operating hour
    RM ream
    ROM room
    RP pound per ream
    SET set
    SM3 Standard cubic metre
    SQ square
    SR strip
    STC stick
    STK stick, cigarette
    STL standard litre
    STW straw
    SW skein
    SX shipment
    SYR syringe
    TIC metric ton, including container
    TIP metric ton, including inner packaging
    TKM tonne kilometre
    TMS kilogram of imported meat, less offal
    TST ten set
    TTS ten thousand sticks
    U1 treatment
    U2 tablet
    VP percent volume
    W2 wet kilo
    WB wet pound
    WE wet ton
    WM working month
    Z11 hanging container
    ZP page
    ZZ mutually defined
"""


def _units() -> dict[str, Unit]:
    """Read the tables into units by code."""
    units: dict[str, Unit] = {}
    for dimension, block in _MEASURES.items():
        for line in block.strip().splitlines():
            code, factor, name = line.split(maxsplit=2)
            units[code] = Unit(code, name, dimension, Fraction(factor))
    for line in _OTHER.strip().splitlines():
        code, name = line.split(maxsplit=1)
        units[code] = Unit(code, name, "other", None)
    for code, name in PACKAGES.items():
        units[code] = Unit(code, name, "package", None)
    return units


UNITS: Final[dict[str, Unit]] = _units()
"""Every unit with a name here, by its code."""

_SHOWN_MAX = 40
_PACKAGE_SHAPE = re.compile(r"X[A-Z0-9]{2}").fullmatch


def is_unit(code: str) -> bool:
    """Whether `code` may stand beside a quantity: listed here, or of the shape of a Rec 21 package (X and two).

    Rec 21 packages count and never convert in general, so that a rare one without a name here does no harm.
    """
    return code in UNITS or _PACKAGE_SHAPE(code) is not None


def check_unit(code: str) -> str:
    """`code` when it is a unit (`is_unit`); raises RefusedError ``unknown-unit``."""
    if not is_unit(code):
        raise RefusedError(
            f"{code[:_SHOWN_MAX]!r} is not a known unit code",
            code="unknown-unit",
            hint="Use a UN/ECE Rec 20 code such as C62 (piece), KGM, LTR, or a Rec 21 package code such as XBX.",
        )
    return code
