-- The stores of Harbour Gifts: what lies on their shelves, what customers ordered for the second act, what the node has
-- told the stores to send or to put aside, and what they did.

CREATE TABLE shelf (
    store TEXT NOT NULL,
    item TEXT NOT NULL,
    opening INTEGER NOT NULL CHECK (opening >= 0),
    on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
    PRIMARY KEY (store, item)
);
CREATE TABLE shelf_receipt (
    number INTEGER PRIMARY KEY,
    store TEXT NOT NULL,
    item TEXT NOT NULL,
    pieces INTEGER NOT NULL
);

CREATE TABLE wanted (
    number TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    customer TEXT NOT NULL,
    name TEXT NOT NULL,
    street TEXT NOT NULL,
    city TEXT NOT NULL,
    postal_code TEXT NOT NULL,
    country TEXT NOT NULL,
    collect_at TEXT NOT NULL,
    priority INTEGER NOT NULL,
    at TEXT NOT NULL,
    by_hand INTEGER NOT NULL DEFAULT 0,
    released INTEGER NOT NULL DEFAULT 0,
    written INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE wanted_line (
    number TEXT NOT NULL REFERENCES wanted,
    line TEXT NOT NULL,
    item TEXT NOT NULL REFERENCES items,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price TEXT NOT NULL,
    PRIMARY KEY (number, line),
    UNIQUE (number, item)
);

-- Despatch instructions of our own node, for one store each.
CREATE TABLE instruction (
    number TEXT PRIMARY KEY,
    customer_order TEXT NOT NULL,
    store TEXT NOT NULL,
    collect_at TEXT NOT NULL,
    name TEXT,
    cancelled INTEGER NOT NULL DEFAULT 0,
    ready_told INTEGER NOT NULL DEFAULT 0,
    collected INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE instruction_line (
    number TEXT NOT NULL REFERENCES instruction,
    line TEXT NOT NULL,
    item TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (number, line)
);
CREATE TABLE goods_out (
    despatch TEXT PRIMARY KEY,
    number TEXT NOT NULL UNIQUE REFERENCES instruction,
    at TEXT NOT NULL,
    tracking TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    file TEXT NOT NULL
);

-- What partners say of what the node ordered of them: for the shop's own view of its drop shipments.
CREATE TABLE partner_despatch (
    despatch TEXT NOT NULL,
    order_number TEXT NOT NULL,
    order_line TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    tracking TEXT,
    PRIMARY KEY (despatch, order_number, order_line)
);

-- The figures that the node was told last.
CREATE TABLE shelf_told (
    store TEXT NOT NULL,
    item TEXT NOT NULL,
    on_hand INTEGER NOT NULL,
    PRIMARY KEY (store, item)
);
