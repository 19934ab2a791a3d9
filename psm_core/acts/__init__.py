"""The four walks: remember, recall, consolidate, learn. They know protocols only."""
