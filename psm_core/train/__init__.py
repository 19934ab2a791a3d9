"""How the skill is trained: written lives, the curriculum, and the report card."""
