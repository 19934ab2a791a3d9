"""`python -m psm_core.cli` is `psm`."""

from psm_core.cli import app

app(prog_name="psm")
