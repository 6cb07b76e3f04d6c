"""Stock: figures, the ledger, holds, what can be promised, who keeps what was said, and what will not come."""
