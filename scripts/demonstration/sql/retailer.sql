-- The ledger of Harbour Gifts: what its web shop sold, and what the files from its supplier say became of it.
-- Quantities are pieces, money is decimal text in GBP without VAT. Rows are only ever added, by their documents' numbers.

CREATE TABLE control (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE items (
    item TEXT PRIMARY KEY,
    gtin TEXT,
    description TEXT NOT NULL,
    order_multiple INTEGER NOT NULL
);

-- One number range: orders, cancellations of whole lines, changes.
CREATE TABLE papers (
    sequence INTEGER PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('order', 'cancellation', 'change')),
    order_number TEXT NOT NULL,
    invoice TEXT NOT NULL,
    at TEXT NOT NULL,
    placed_at TEXT,
    written INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE orders (
    number TEXT PRIMARY KEY,
    customer TEXT,
    country TEXT
);
CREATE TABLE order_lines (
    number TEXT NOT NULL,
    line TEXT NOT NULL,
    item TEXT NOT NULL REFERENCES items,
    quantity INTEGER NOT NULL,
    price TEXT NOT NULL,
    PRIMARY KEY (number, line)
);
CREATE TABLE charges (
    number TEXT NOT NULL,
    place INTEGER NOT NULL,
    charge INTEGER NOT NULL,
    amount TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (number, place)
);
CREATE TABLE reduction_lines (
    number TEXT NOT NULL,
    order_number TEXT NOT NULL,
    line TEXT NOT NULL,
    by INTEGER NOT NULL,
    remains INTEGER NOT NULL,
    PRIMARY KEY (number, line)
);

-- What came in.
CREATE TABLE files (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE response_pieces (
    order_number TEXT NOT NULL,
    line TEXT NOT NULL,
    revision INTEGER NOT NULL,
    piece TEXT NOT NULL,
    response TEXT NOT NULL,
    result TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    due TEXT,
    reason TEXT,
    PRIMARY KEY (order_number, line, revision, piece)
);
CREATE TABLE answered (
    paper TEXT PRIMARY KEY,
    response TEXT NOT NULL,
    revision INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    returned INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE despatches (
    despatch TEXT PRIMARY KEY,
    order_number TEXT NOT NULL,
    despatched_at TEXT NOT NULL,
    tracking TEXT,
    received INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE despatch_lines (
    despatch TEXT NOT NULL REFERENCES despatches,
    line TEXT NOT NULL,
    order_line TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (despatch, line)
);
CREATE TABLE receiving_lines (
    receiving TEXT NOT NULL,
    line TEXT NOT NULL,
    despatch TEXT NOT NULL,
    order_number TEXT NOT NULL,
    order_line TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    short INTEGER NOT NULL,
    PRIMARY KEY (receiving, line)
);
CREATE INDEX receiving_lines_order ON receiving_lines (order_number, order_line);
CREATE TABLE return_lines (
    number TEXT NOT NULL,
    order_number TEXT NOT NULL,
    line TEXT NOT NULL,
    order_line TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (number, line)
);
CREATE TABLE invoices (
    invoice TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    order_number TEXT NOT NULL,
    lines TEXT NOT NULL,
    allowances TEXT NOT NULL,
    charges TEXT NOT NULL,
    net TEXT NOT NULL,
    tax TEXT NOT NULL,
    payable TEXT NOT NULL,
    reason TEXT
);
CREATE TABLE invoice_lines (
    invoice TEXT NOT NULL REFERENCES invoices,
    line TEXT NOT NULL,
    order_line TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price TEXT NOT NULL,
    base TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (invoice, line)
);

-- What each line stands at: the latest answer about it, and the sums of what followed.
CREATE VIEW line_status AS
SELECT
    s.*,
    CASE WHEN s.answered THEN s.quantity - s.accepted - s.back_ordered - s.rejected ELSE 0 END AS cancelled
FROM (
    SELECT
        l.number, l.line, l.item, l.quantity, l.price,
        COUNT(p.line) > 0 AS answered,
        COALESCE(SUM(p.quantity) FILTER (WHERE p.result = 'ACCEPTED'), 0) AS accepted,
        COALESCE(SUM(p.quantity) FILTER (WHERE p.result = 'BACK_ORDERED'), 0) AS back_ordered,
        COALESCE(SUM(p.quantity) FILTER (WHERE p.result = 'REJECTED'), 0) AS rejected,
        MAX(p.due) AS due
    FROM order_lines l
    LEFT JOIN response_pieces p
        ON p.order_number = l.number AND p.line = l.line
        AND p.revision = (
            SELECT MAX(q.revision) FROM response_pieces q WHERE q.order_number = l.number AND q.line = l.line
        )
    GROUP BY l.number, l.line
) s;
