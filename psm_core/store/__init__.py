"""THE CONTENT: one folder a person, with a ledger that is the truth."""
