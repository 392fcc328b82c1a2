"""How the tables of the catalogue became what they are, one module a step; Alembic runs them."""
