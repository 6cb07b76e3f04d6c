-- What Atelier Meuble sells by itself in the second act: prices per piece, orders of other companies and of theirs, what
-- was confirmed, sent and delivered. Quantities are pieces; the stock stays in dozens and cartons. `maj` rises.

CREATE TABLE tarif (
    ref_article TEXT PRIMARY KEY REFERENCES article,
    prix TEXT NOT NULL,
    poids TEXT NOT NULL,
    exclusif INTEGER NOT NULL DEFAULT 0,
    depart INTEGER -- the stock in units when sales began
);

CREATE TABLE commande (
    no_commande TEXT NOT NULL,
    client TEXT NOT NULL,
    ref_client TEXT,
    nom TEXT,
    rue TEXT,
    ville TEXT,
    code_postal TEXT,
    pays TEXT,
    traite INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (client, no_commande)
);
CREATE TABLE commande_ligne (
    no_commande TEXT NOT NULL,
    client TEXT NOT NULL,
    ligne TEXT NOT NULL,
    ean TEXT,
    ref_article TEXT,
    qte TEXT NOT NULL,
    prix TEXT,
    PRIMARY KEY (client, no_commande, ligne)
);

CREATE TABLE confirmation (
    no_confirmation TEXT PRIMARY KEY,
    no_commande TEXT NOT NULL,
    client TEXT NOT NULL,
    etat TEXT NOT NULL,
    le TEXT NOT NULL,
    maj INTEGER NOT NULL UNIQUE
);
CREATE TABLE confirmation_ligne (
    no_confirmation TEXT NOT NULL REFERENCES confirmation,
    ligne TEXT NOT NULL,
    partie INTEGER NOT NULL,
    etat TEXT NOT NULL,
    pieces INTEGER NOT NULL,
    motif TEXT,
    PRIMARY KEY (no_confirmation, ligne, partie)
);
CREATE TABLE expedition (
    no_expedition TEXT PRIMARY KEY,
    no_commande TEXT NOT NULL,
    client TEXT NOT NULL,
    le TEXT NOT NULL,
    suivi TEXT NOT NULL,
    livree INTEGER NOT NULL DEFAULT 0,
    maj INTEGER NOT NULL UNIQUE
);
CREATE TABLE expedition_ligne (
    no_expedition TEXT NOT NULL REFERENCES expedition,
    ligne TEXT NOT NULL,
    ref_article TEXT NOT NULL,
    pieces INTEGER NOT NULL,
    PRIMARY KEY (no_expedition, ligne)
);
