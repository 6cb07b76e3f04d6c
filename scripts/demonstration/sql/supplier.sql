-- The ERP of Nordwind Wholesale, as its maker left it: German words, terse, quantities in the article's own unit
-- (mengeneinheit: ST pieces, VPE packs of `ve` pieces), money as decimal text in GBP without VAT.
-- Tables eingang_* are its inbox: whoever brings documents writes there, and the ERP takes rows with verarbeitet = 0.
-- `aenderung` is one rising number over everything that changes.

CREATE TABLE einstellung (name TEXT PRIMARY KEY, wert TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE artikel (
    artikel_nr TEXT PRIMARY KEY,
    ean TEXT UNIQUE,
    kunden_artikel_nr TEXT NOT NULL UNIQUE,
    bezeichnung TEXT NOT NULL,
    mengeneinheit TEXT NOT NULL CHECK (mengeneinheit IN ('ST', 'VPE')),
    ve INTEGER NOT NULL CHECK (ve > 0),
    vk_preis TEXT NOT NULL,
    mwst_art TEXT NOT NULL,
    mwst_satz TEXT NOT NULL,
    auslauf INTEGER NOT NULL DEFAULT 0,
    lief_artikel_nr TEXT,
    lief_einheit TEXT,
    lief_inhalt INTEGER
);

CREATE TABLE bestand (
    artikel_nr TEXT PRIMARY KEY REFERENCES artikel,
    lager TEXT NOT NULL DEFAULT 'LUE1',
    anfang INTEGER NOT NULL,
    menge INTEGER NOT NULL CHECK (menge >= 0),
    zugesagt INTEGER NOT NULL DEFAULT 0 CHECK (zugesagt BETWEEN 0 AND menge),
    gesperrt INTEGER NOT NULL DEFAULT 0,
    aenderung INTEGER NOT NULL
);

CREATE TABLE meldebestand (
    artikel_nr TEXT PRIMARY KEY REFERENCES artikel,
    lager TEXT NOT NULL DEFAULT 'LUE1',
    melde_menge INTEGER NOT NULL,
    soll_menge INTEGER NOT NULL,
    losgroesse INTEGER NOT NULL
);

CREATE TABLE offene_bestellung (
    artikel_nr TEXT PRIMARY KEY REFERENCES artikel,
    menge INTEGER NOT NULL,
    verplant INTEGER NOT NULL DEFAULT 0 CHECK (verplant BETWEEN 0 AND menge),
    termin TEXT NOT NULL,
    gebucht INTEGER NOT NULL DEFAULT 0
);

-- The inbox.
CREATE TABLE eingang_auftrag (
    kunden_bestell_nr TEXT PRIMARY KEY,
    kunde TEXT NOT NULL,
    bestell_datum TEXT NOT NULL,
    kundenauftrag TEXT,
    waehrung TEXT NOT NULL,
    land TEXT,
    verarbeitet INTEGER NOT NULL DEFAULT 0,
    eingegangen_am TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE eingang_position (
    kunden_bestell_nr TEXT NOT NULL,
    position TEXT NOT NULL,
    ean TEXT,
    kunden_artikel_nr TEXT,
    menge TEXT NOT NULL,
    einheit TEXT NOT NULL,
    preis TEXT NOT NULL,
    PRIMARY KEY (kunden_bestell_nr, position)
);
CREATE TABLE eingang_zuschlag (
    kunden_bestell_nr TEXT NOT NULL,
    lfd INTEGER NOT NULL,
    zuschlag INTEGER NOT NULL,
    betrag TEXT NOT NULL,
    grund TEXT,
    PRIMARY KEY (kunden_bestell_nr, lfd)
);
CREATE TABLE eingang_storno (
    storno_nr TEXT PRIMARY KEY,
    kunden_bestell_nr TEXT NOT NULL,
    datum TEXT NOT NULL,
    verarbeitet INTEGER NOT NULL DEFAULT 0,
    eingegangen_am TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE eingang_aenderung (
    aenderungs_nr TEXT PRIMARY KEY,
    kunden_bestell_nr TEXT NOT NULL,
    datum TEXT NOT NULL,
    verarbeitet INTEGER NOT NULL DEFAULT 0,
    eingegangen_am TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE eingang_aenderung_position (
    aenderungs_nr TEXT NOT NULL,
    position TEXT NOT NULL,
    menge TEXT NOT NULL,
    einheit TEXT NOT NULL,
    PRIMARY KEY (aenderungs_nr, position)
);
CREATE TABLE eingang_wareneingang (
    wareneingang_nr TEXT PRIMARY KEY,
    kunden_bestell_nr TEXT NOT NULL,
    lieferschein_nr TEXT NOT NULL,
    datum TEXT NOT NULL,
    verarbeitet INTEGER NOT NULL DEFAULT 0,
    eingegangen_am TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE eingang_wareneingang_position (
    wareneingang_nr TEXT NOT NULL,
    zeile TEXT NOT NULL,
    position TEXT NOT NULL,
    angenommen TEXT NOT NULL,
    fehlmenge TEXT,
    einheit TEXT NOT NULL,
    PRIMARY KEY (wareneingang_nr, zeile)
);
CREATE TABLE eingang_retoure (
    retoure_nr TEXT PRIMARY KEY,
    kunden_bestell_nr TEXT NOT NULL,
    datum TEXT NOT NULL,
    verarbeitet INTEGER NOT NULL DEFAULT 0,
    eingegangen_am TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE eingang_retoure_position (
    retoure_nr TEXT NOT NULL,
    zeile TEXT NOT NULL,
    position TEXT NOT NULL,
    menge TEXT NOT NULL,
    einheit TEXT NOT NULL,
    PRIMARY KEY (retoure_nr, zeile)
);
-- What the manufacturer promised for our replenishment requests: read by the availability only.
CREATE TABLE eingang_nachschub (
    zusage_nr TEXT NOT NULL,
    zeile TEXT NOT NULL,
    anfrage_nr TEXT NOT NULL,
    anfrage_zeile TEXT,
    artikel_nr TEXT NOT NULL,
    menge TEXT NOT NULL,
    einheit TEXT NOT NULL,
    termin TEXT NOT NULL,
    eingegangen_am TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (zusage_nr, zeile)
);

-- What the ERP makes of it.
CREATE TABLE kunde_auftrag (
    auftrag_nr TEXT PRIMARY KEY,
    kunden_bestell_nr TEXT NOT NULL UNIQUE,
    kunde TEXT NOT NULL,
    kundenauftrag TEXT,
    bestell_datum TEXT NOT NULL,
    waehrung TEXT NOT NULL,
    land TEXT,
    ab_version INTEGER NOT NULL DEFAULT -1,
    zuschlag_berechnet TEXT,
    abschlag_berechnet TEXT
);
CREATE TABLE auftrag_position (
    auftrag_nr TEXT NOT NULL REFERENCES kunde_auftrag,
    position INTEGER NOT NULL,
    kunden_position TEXT NOT NULL,
    artikel_nr TEXT REFERENCES artikel,
    menge INTEGER NOT NULL,
    me_preis TEXT NOT NULL,
    zugesagt INTEGER NOT NULL DEFAULT 0 CHECK (zugesagt >= 0),
    rueckstand INTEGER NOT NULL DEFAULT 0 CHECK (rueckstand >= 0),
    termin TEXT,
    abgelehnt INTEGER NOT NULL DEFAULT 0,
    ablehn_grund TEXT,
    storniert INTEGER NOT NULL DEFAULT 0,
    geaendert INTEGER NOT NULL DEFAULT 0, -- of what is storniert: by a change that was agreed to, so no longer ordered
    geliefert INTEGER NOT NULL DEFAULT 0,
    berechnet INTEGER NOT NULL DEFAULT 0,
    empfangen INTEGER NOT NULL DEFAULT 0,
    fehlmenge INTEGER NOT NULL DEFAULT 0,
    retourniert INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (auftrag_nr, position),
    CHECK (menge = zugesagt + rueckstand + abgelehnt + storniert + geliefert)
);
CREATE INDEX auftrag_position_artikel ON auftrag_position (artikel_nr);
CREATE INDEX auftrag_position_offen ON auftrag_position (auftrag_nr) WHERE zugesagt > 0;

CREATE TABLE auftragsbestaetigung (
    ab_nr TEXT NOT NULL,
    version INTEGER NOT NULL,
    auftrag_nr TEXT NOT NULL,
    kunden_bestell_nr TEXT NOT NULL,
    antwort_auf TEXT NOT NULL,
    antwort_art TEXT NOT NULL,
    ergebnis TEXT NOT NULL,
    grund_code TEXT,
    grund TEXT,
    datum TEXT NOT NULL,
    aenderung INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (ab_nr, version)
);
CREATE TABLE ab_position (
    ab_nr TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    einteilung INTEGER NOT NULL,
    ergebnis TEXT NOT NULL,
    menge INTEGER NOT NULL,
    stueck INTEGER NOT NULL,
    termin TEXT,
    grund_code TEXT,
    grund TEXT,
    PRIMARY KEY (ab_nr, version, position, einteilung)
);

CREATE TABLE lieferung (
    lieferschein_nr TEXT PRIMARY KEY,
    auftrag_nr TEXT NOT NULL,
    kunden_bestell_nr TEXT NOT NULL,
    versand_am TEXT NOT NULL,
    spediteur TEXT NOT NULL,
    sendungsnummer TEXT NOT NULL,
    aenderung INTEGER NOT NULL UNIQUE
);
CREATE TABLE lieferung_position (
    lieferschein_nr TEXT NOT NULL REFERENCES lieferung,
    zeile INTEGER NOT NULL,
    position INTEGER NOT NULL,
    artikel_nr TEXT NOT NULL,
    menge INTEGER NOT NULL,
    nve TEXT NOT NULL,
    PRIMARY KEY (lieferschein_nr, zeile)
);

CREATE TABLE rechnung (
    rechnung_nr TEXT PRIMARY KEY,
    art TEXT NOT NULL CHECK (art IN ('380', '381')),
    auftrag_nr TEXT NOT NULL,
    kunden_bestell_nr TEXT NOT NULL,
    bezug_rechnung TEXT,
    grund TEXT,
    datum TEXT NOT NULL,
    faellig TEXT NOT NULL,
    waehrung TEXT NOT NULL,
    summe_positionen TEXT NOT NULL,
    summe_abschlaege TEXT NOT NULL,
    summe_zuschlaege TEXT NOT NULL,
    netto TEXT NOT NULL,
    mwst TEXT NOT NULL,
    brutto TEXT NOT NULL,
    aenderung INTEGER NOT NULL UNIQUE
);
CREATE INDEX rechnung_auftrag ON rechnung (auftrag_nr);
CREATE TABLE rechnung_position (
    rechnung_nr TEXT NOT NULL REFERENCES rechnung,
    zeile INTEGER NOT NULL,
    position INTEGER NOT NULL,
    lieferschein_nr TEXT,
    artikel_nr TEXT NOT NULL,
    menge INTEGER NOT NULL,
    me_preis TEXT NOT NULL,
    betrag TEXT NOT NULL,
    mwst_art TEXT NOT NULL,
    mwst_satz TEXT NOT NULL,
    PRIMARY KEY (rechnung_nr, zeile)
);
CREATE TABLE rechnung_zuschlag (
    rechnung_nr TEXT NOT NULL REFERENCES rechnung,
    lfd INTEGER NOT NULL,
    zuschlag INTEGER NOT NULL,
    betrag TEXT NOT NULL,
    grund TEXT NOT NULL,
    mwst_art TEXT NOT NULL,
    mwst_satz TEXT NOT NULL,
    PRIMARY KEY (rechnung_nr, lfd)
);
CREATE TABLE rechnung_steuer (
    rechnung_nr TEXT NOT NULL REFERENCES rechnung,
    mwst_art TEXT NOT NULL,
    mwst_satz TEXT NOT NULL,
    basis TEXT NOT NULL,
    steuer TEXT NOT NULL,
    PRIMARY KEY (rechnung_nr, mwst_art, mwst_satz)
);

-- Lines, charges and tax of an invoice under one another, in pieces, for whoever sends it.
CREATE VIEW rechnung_belegzeile AS
SELECT p.rechnung_nr, p.zeile, a.kunden_position, p.lieferschein_nr, x.artikel_nr, x.ean, x.bezeichnung,
       p.menge * x.ve AS stueck, p.me_preis, x.ve, p.betrag,
       p.mwst_art AS zeile_mwst_art, p.mwst_satz AS zeile_mwst_satz,
       NULL AS lfd, NULL AS zuschlag, NULL AS zu_betrag, NULL AS zu_grund, NULL AS zu_mwst_art, NULL AS zu_mwst_satz,
       NULL AS steuer_art, NULL AS steuer_satz, NULL AS basis, NULL AS steuer
FROM rechnung_position p
JOIN rechnung h USING (rechnung_nr)
JOIN auftrag_position a ON a.auftrag_nr = h.auftrag_nr AND a.position = p.position
JOIN artikel x ON x.artikel_nr = p.artikel_nr
UNION ALL
SELECT rechnung_nr, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       lfd, zuschlag, betrag, grund, mwst_art, mwst_satz, NULL, NULL, NULL, NULL
FROM rechnung_zuschlag
UNION ALL
SELECT rechnung_nr, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, mwst_art, mwst_satz, basis, steuer
FROM rechnung_steuer;

CREATE TABLE retoure (
    retoure_nr TEXT PRIMARY KEY,
    kunden_bestell_nr TEXT NOT NULL,
    datum TEXT NOT NULL,
    aenderung INTEGER NOT NULL UNIQUE
);
CREATE TABLE retoure_position (
    retoure_nr TEXT NOT NULL REFERENCES retoure,
    zeile TEXT NOT NULL,
    position INTEGER NOT NULL,
    artikel_nr TEXT NOT NULL,
    menge INTEGER NOT NULL,
    PRIMARY KEY (retoure_nr, zeile)
);

-- What nobody could book, for a person to look at.
CREATE TABLE fehlerprotokoll (
    lfd INTEGER PRIMARY KEY,
    beleg TEXT NOT NULL,
    text TEXT NOT NULL
);
