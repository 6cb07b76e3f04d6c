-- The ERP of Atelier Meuble: French words, quantities in its own sales units (DZ dozens, CT cartons of `contenu` pieces).
-- Requests for replenishment arrive in demande_reappro with the pieces asked for; the ERP counts them in its unit.

CREATE TABLE parametre (nom TEXT PRIMARY KEY, valeur TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE article (
    ref_article TEXT PRIMARY KEY,
    ref_client TEXT NOT NULL UNIQUE,
    ean TEXT,
    designation TEXT NOT NULL,
    unite TEXT NOT NULL CHECK (unite IN ('DZ', 'CT')),
    contenu INTEGER NOT NULL CHECK (contenu > 0),
    stock INTEGER NOT NULL CHECK (stock >= 0)
);

CREATE TABLE demande_reappro (
    no_demande TEXT NOT NULL,
    ligne TEXT NOT NULL,
    client TEXT NOT NULL,
    ref_article TEXT,
    ref_client TEXT,
    ean TEXT,
    qte_pieces TEXT NOT NULL,
    engagement TEXT,
    traite INTEGER NOT NULL DEFAULT 0,
    recu_le TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (no_demande, ligne)
);

-- What is made or taken from stock for a request; `unites` in the article's unit, at least what was asked for.
CREATE TABLE ordre_fabrication (
    no_of TEXT PRIMARY KEY,
    no_demande TEXT NOT NULL,
    ligne TEXT NOT NULL,
    ref_article TEXT NOT NULL REFERENCES article,
    unites INTEGER NOT NULL CHECK (unites > 0),
    du_stock INTEGER NOT NULL DEFAULT 0,
    date_prevue TEXT NOT NULL,
    UNIQUE (no_demande, ligne)
);

CREATE TABLE reponse_reappro (
    no_reponse TEXT PRIMARY KEY,
    no_demande TEXT NOT NULL UNIQUE,
    date_reponse TEXT NOT NULL,
    maj INTEGER NOT NULL UNIQUE
);
CREATE TABLE reponse_ligne (
    no_reponse TEXT NOT NULL REFERENCES reponse_reappro,
    ligne TEXT NOT NULL,
    ref_article TEXT,
    ref_client TEXT,
    qte_pieces INTEGER NOT NULL,
    date_prevue TEXT,
    motif TEXT,
    PRIMARY KEY (no_reponse, ligne)
);
