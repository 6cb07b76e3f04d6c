-- The warehouse system of Quayside Logistics: whose goods lie on which dock, what it was told to send, what it did.
-- Documents come and go as JSON lines in a folder; `files` are those that were read.

CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (name TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE goods (
    gtin TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    opening INTEGER NOT NULL CHECK (opening >= 0),
    on_dock INTEGER NOT NULL CHECK (on_dock >= 0)
);

CREATE TABLE job (
    number TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    customer_order TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    street TEXT,
    city TEXT,
    postal_code TEXT,
    country TEXT,
    cancelled INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE job_line (
    number TEXT NOT NULL REFERENCES job,
    line TEXT NOT NULL,
    gtin TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (number, line)
);

-- Every piece that left the dock; `told` once the movement went back to the owner of the goods.
CREATE TABLE movement (
    despatch TEXT NOT NULL,
    number TEXT NOT NULL REFERENCES job,
    line TEXT NOT NULL,
    gtin TEXT NOT NULL,
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    at TEXT NOT NULL,
    tracking TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (despatch, line)
);
