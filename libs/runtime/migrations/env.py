"""How Alembic runs here: within a connection, and a transaction, that the caller has opened."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
service = context.config.attributes["service"]
connection.execute(text(f"set local search_path to {service}"))
context.configure(connection=connection, version_table_schema=service)
context.run_migrations()
