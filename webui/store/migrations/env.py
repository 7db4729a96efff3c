"""How alembic runs here: inside the connection and the BEGIN IMMEDIATE transaction of `migrate`, all or nothing."""

from alembic import context

from webui.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
