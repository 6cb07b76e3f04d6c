"""What is said of wares beside their numbers: classes, certificates, dangers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Classification:
    """A class of items in somebody's classification: list by its UNCL7143 code."""

    list: str = ""
    list_version: str = ""
    code: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A label or certificate that an item carries."""

    id: str = ""
    type: str = ""
    type_code: str = ""
    issuer: str = ""
    remarks: str = ""
    uri: str = ""


@dataclass(frozen=True, kw_only=True)
class DangerousGoods:
    """What transport law asks about dangerous goods."""

    un_number: str = ""
    hazard_class: str = ""
    packing_group: str = ""
