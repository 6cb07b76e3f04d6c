"""The table of package codes: UN/ECE Recommendation 21, in the form in which Recommendation 20 users write them.

An X stands before the two characters of Recommendation 21. A package is a unit that only counts: how much one holds
depends on the item. These are the ones that trade uses most; others are known by their shape (`unit_codes.is_unit`).
"""

from __future__ import annotations

from typing import Final

__all__ = ["PACKAGES"]

_TABLE: Final = """
    XAE aerosol
    XAM ampoule, non-protected
    XAV capsule
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


def _packages() -> dict[str, str]:
    """Read the table into names by code."""
    packages: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        code, name = line.split(maxsplit=1)
        packages[code] = name
    return packages


PACKAGES: Final = _packages()
"""Names of packages by their X-prefixed code."""
