"""The table of unit codes: UN/ECE Recommendation 20 with exact factors, Recommendation 21 packages as bare codes.

Factors are exact by definition: the international yard and pound of 1959 (0.9144 m, 0.45359237 kg), the US gallon of
231 cubic inches, the imperial gallon of 4.54609 l. Rec 20 prints many of them rounded; exact ones are used here, so
that a conversion there and back gives the same number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

__all__ = ["PACKAGES", "PIECES", "UNITS", "Unit", "is_unit"]


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
        HD 6 half dozen
        DZN 12 dozen
        SCO 20 score
        TPR 20 ten pair
        DPR 24 dozen pair
        CEN 100 hundred
        HC 100 hundred count
        GRO 144 gross
        MIL 1000 thousand
        T3 1000 thousand piece
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
        GRN 0.00006479891 grain
        DWT 0.00155517384 pennyweight
        ONZ 0.028349523125 ounce (avoirdupois)
        APZ 0.0311034768 troy ounce or apothecary ounce
        LBT 0.3732417216 troy pound (US)
        LBR 0.45359237 pound
        STI 6.35029318 stone (UK)
        CWA 45.359237 hundred pound (cwt) / hundred weight (US)
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
        KTM 1000 kilometre
        LM 1 linear metre
        77 0.0000254 milli-inch
        INH 0.0254 inch
        FOT 0.3048 foot
        LF 0.3048 linear foot
        YRD 0.9144 yard
        LY 0.9144 linear yard
        AK 1.8288 fathom
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
        DMA 1000000 cubic decametre
        INQ 0.016387064 cubic inch
        FTQ 28.316846592 cubic foot
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
        BUA 35.23907016688 bushel (US)
        BUI 36.36872 bushel (UK)
        BLD 115.627123584 dry barrel (US)
        BLL 158.987294928 barrel (US)
        BFT 2.359737216 board foot
        MBF 2359.737216 thousand board foot
        WCD 3624.556363776 cord
    """,
    # base: second
    "time": """
        SEC 1 second (unit of time)
        B98 0.000001 microsecond
        C26 0.001 millisecond
        MIN 60 minute (unit of time)
        HUR 3600 hour
        DAY 86400 day
        WEE 604800 week
    """,
    # base: month. Rec 20 prints averages in seconds for these; contracts count in calendar months, never in seconds.
    "calendar": """
        MON 1 month
        QAN 3 quarter (of a year)
        SAN 6 half year (6 months)
        ANN 12 year
        DEC 120 decade (ten years)
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
        2P 8000 kilobyte
        4L 8000000 megabyte
        E34 8000000000 gigabyte
        E35 8000000000000 terabyte
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
        BAR 100000 bar [unit of pressure]
        MPA 1000000 megapascal
    """,
    # base: volt, ampere, hertz
    "voltage": """
        VLT 1 volt
        2Z 0.001 millivolt
        KVT 1000 kilovolt
    """,
    "current": """
        AMP 1 ampere
        4K 0.001 milliampere
    """,
    "charge": """
        COU 1 coulomb
        AMH 3600 ampere hour
    """,
    "frequency": """
        HTZ 1 hertz
        KHZ 1000 kilohertz
        MHZ 1000000 megahertz
    """,
}

# Units without a general factor: they convert only by the item's own factor, and never silently. Kilograms of a named
# substance are here on purpose: a kilogram of fertiliser is not a kilogram of nitrogen.
_OTHER: Final = """
    10 group
    11 outfit
    13 ration
    14 shot
    20 twenty foot container
    21 forty foot container
    58 net kilogram
    5B batch
    ACT activity
    AS assortment
    AV capsule
    AY assembly
    BB base box
    BW base weight
    CCT carrying capacity in metric ton
    CEL degree Celsius
    CTG content gram
    CNP hundred pack
    CNT content ton
    DPC dozen piece
    DPT displacement tonnage
    DRL dozen roll
    DZP dozen pack
    E27 dose
    E48 service unit
    E49 working day
    E50 accounting unit
    E51 job
    E54 trip
    FAH degree Fahrenheit
    GT gross ton
    H80 rack unit
    IE person
    KDW kilogram drained net weight
    KEL kelvin
    KGS kilogram per second
    KHY kilogram of hydrogen peroxide
    KMA kilogram of methylamine
    KNI kilogram of nitrogen
    KNS kilogram of named substance
    KPH kilogram of potassium hydroxide (caustic potash)
    KPO kilogram of potassium oxide
    KPP kilogram of phosphorus pentoxide (phosphoric anhydride)
    KSD kilogram of substance 90 % dry
    KSH kilogram of sodium hydroxide (caustic soda)
    KT kit
    KUR kilogram of uranium
    KVA kilovolt - ampere
    LEF leaf
    LH labour hour
    LO lot [unit of procurement]
    LS lump sum
    LUM lumen
    LUX lux
    MLP megalitre
    NBB number of bobbins
    NCL number of cells
    NIU number of international units
    NM3 Normalised cubic metre
    NMP number of packs
    NPL number of parcels
    NPT number of parts
    NRL number of rolls
    NTT net register ton
    OHM ohm
    OT overtime hour
    P1 percent
    PD pad
    PG plate
    PGL proof gallon
    RM ream
    RP pound per ream
    SET set
    SM3 Standard cubic metre
    SQ square
    ST sheet
    STC stick
    SW skein
    SYR syringe
    TAH kiloampere hour (thousand ampere hour)
    TKM tonne kilometre
    U2 tablet
    VA volt - ampere per kilogram
    VP percent volume
    WB wet pound
    WE wet ton
    WM working month
    WSD standard
    Z11 hanging container
    ZZ mutually defined
"""

# Rec 21 package codes in their Rec 20 form, with an X before the two characters.
_PACKAGES: Final = """
    XAE aerosol
    XAM ampoule, non-protected
    XBA barrel
    XBC bottlecrate / bottlerack
    XBE bundle
    XBG bag
    XBI bin
    XBJ bucket
    XBK basket
    XBL bale, compressed
    XBN bale, non-compressed
    XBO bottle, non-protected, cylindrical
    XBQ bottle, protected, cylindrical
    XBR bar
    XBS bottle, non-protected, bulbous
    XBT bolt
    XBX box
    XCA can, rectangular
    XCG cage
    XCH chest
    XCK cask
    XCN container, not otherwise specified as transport equipment
    XCQ cartridge
    XCR crate
    XCS case
    XCT carton
    XCU cup
    XCX can, cylindrical
    XCY cylinder
    XDJ demijohn, non-protected
    XDR drum
    XEN envelope
    XFI firkin
    XFO footlocker
    XFR frame
    XGB gas bottle
    XHG hogshead
    XHR hamper
    XIN ingot
    XJC jerrican, rectangular
    XJG jug
    XJR jar
    XJT jutebag
    XJY jerrican, cylindrical
    XKG keg
    XKI kit
    XLG log
    XLT lot
    XLU lug
    XLV liftvan
    XMB bag, multiply
    XMC crate, milk
    XMS sack, multi-wall
    XMT mat
    XNE unpacked or unpackaged
    XNS nest
    XNT net
    XOA pallet, CHEP 40 cm x 60 cm
    XOB pallet, CHEP 80 cm x 120 cm
    XOK block
    XPA packet
    XPB pallet, box
    XPC parcel
    XPD pallet, modular, collars 80 cm x 100 cm
    XPE pallet, modular, collars 80 cm x 120 cm
    XPG plate
    XPH pitcher
    XPI pipe
    XPK package
    XPL pail
    XPN plank
    XPO pouch
    XPP piece
    XPT pot
    XPU tray
    XPX pallet
    XPZ plates, in bundle/bunch/truss
    XRD rod
    XRG ring
    XRK rack
    XRL reel
    XRO roll
    XRT rednet
    XSA sack
    XSB slab
    XSC crate, shallow
    XSE sea-chest
    XSH sachet
    XSI skid
    XSK case, skeleton
    XSL slipsheet
    XSM sheetmetal
    XSO spool
    XST sheet
    XSU suitcase
    XSV envelope, steel
    XSW shrinkwrapped
    XSX set
    XSY sleeve
    XTB tub
    XTC tea-chest
    XTD tube, collapsible
    XTI tierce
    XTK tank, rectangular
    XTN tin
    XTO tun
    XTR trunk
    XTS truss
    XTU tube
    XTY tank, cylindrical
    XTZ tubes, in bundle/bunch/truss
    XUC uncaged
    XVA vat
    XVI vial
    XVK vanpack
    XVO bulk, solid, large particles
    XVQ bulk, liquefied gas
    XVR bulk, solid, granular particles
    XVY bulk, solid, fine particles
    XWA intermediate bulk container
    XWB wickerbottle
    XZZ mutually defined
"""


def _measures() -> dict[str, Unit]:
    """Read the tables above into units by code."""
    units: dict[str, Unit] = {}
    for dimension, block in _MEASURES.items():
        for line in block.strip().splitlines():
            code, factor, name = line.split(maxsplit=2)
            units[code] = Unit(code, name, dimension, Fraction(factor))
    for line in _OTHER.strip().splitlines():
        code, name = line.split(maxsplit=1)
        units[code] = Unit(code, name, "other", None)
    return units


PACKAGES: Final[dict[str, Unit]] = {
    line.split(maxsplit=1)[0]: Unit(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1], "package", None)
    for line in (line.strip() for line in _PACKAGES.strip().splitlines())
}
"""The Rec 21 packages that trade uses most, by their X-prefixed code."""

UNITS: Final[dict[str, Unit]] = _measures() | PACKAGES
"""Every unit with a name here, by its code."""

_PACKAGE_SHAPE = re.compile(r"X[A-Z0-9]{2}").fullmatch


def is_unit(code: str) -> bool:
    """Whether `code` may stand beside a quantity: listed here, or of the shape of a Rec 21 package (X and two).

    Rec 21 packages count and never convert in general, so that a rare one without a name here does no harm.
    """
    return code in UNITS or _PACKAGE_SHAPE(code) is not None
