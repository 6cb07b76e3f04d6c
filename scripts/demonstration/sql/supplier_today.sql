-- What Nordwind's ERP knows more of in the second act: the range that it offers to the shop's node and at which price,
-- what its maker sends for it (STRECKE), what quality control has blocked, where parcels go, what has arrived.

CREATE TABLE katalog (
    artikel_nr TEXT PRIMARY KEY REFERENCES artikel,
    preis TEXT NOT NULL,
    gewicht TEXT NOT NULL,
    anfang INTEGER NOT NULL -- stock in the article's own unit when the second act began
);
CREATE TABLE strecke (
    artikel_nr TEXT PRIMARY KEY REFERENCES artikel,
    stueck INTEGER NOT NULL
);
CREATE TABLE qualitaetssperre (
    artikel_nr TEXT PRIMARY KEY REFERENCES artikel,
    menge INTEGER NOT NULL CHECK (menge >= 0)
);
CREATE TABLE lieferanschrift (
    kunden_bestell_nr TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    strasse TEXT,
    plz TEXT,
    ort TEXT,
    land TEXT
);
CREATE TABLE zustellung (
    lieferschein_nr TEXT PRIMARY KEY REFERENCES lieferung,
    am TEXT NOT NULL
);
