"""Many audits, in workers of their own: what is asked, who does it, and one driver that keeps the ledger."""
