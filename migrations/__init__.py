"""Plain SQL, applied in the order of its numbers by `server/migrate.py`; `schema.sql` is the whole, to be read."""
