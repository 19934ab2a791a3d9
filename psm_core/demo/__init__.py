"""A life of ten sessions that ships with the package, and how to play it."""
