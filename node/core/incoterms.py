"""The rules of the Incoterms, by which two companies say who carries goods, costs and risk how far."""

from __future__ import annotations

__all__ = ["INCOTERMS"]

INCOTERMS = ("EXW", "FCA", "CPT", "CIP", "DAP", "DPU", "DDP", "FAS", "FOB", "CFR", "CIF", "DAT")
"""Incoterms 2020 of the International Chamber of Commerce, and DAT of 2010, which DPU replaced."""
