"""Checkpoints in Postgres, for runs that several machines go on with; the extra ``postgres``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from ..errors import ServiceError
from ..extras import import_extra

if TYPE_CHECKING:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from langgraph.checkpoint.serde.base import SerializerProtocol

_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


@dataclass(frozen=True, slots=True)
class PostgresCheckpoints:
    """The database at ``url`` (``postgresql://user:password@host/name``), whose tables are made."""

    url: SecretStr

    @contextlib.asynccontextmanager
    async def saver(self, serde: SerializerProtocol) -> AsyncIterator[AsyncPostgresSaver]:
        """LangGraph's checkpointer over one connection.

        Raises:
            MissingExtra: the extra is not installed.
            ServiceError: the database cannot be reached, or refused.
        """
        with _errors():
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

            opened = AsyncPostgresSaver.from_conn_string(self.url.get_secret_value(), serde=serde)
            async with opened as saver:
                await saver.setup()
                yield saver

    def delete(self, run_id: str) -> None:
        """Remove every checkpoint of a run and of its searchers. Blocks.

        Raises:
            MissingExtra: the extra is not installed.
            ServiceError: the database cannot be reached, or refused.
        """
        with _errors():
            import psycopg
            from psycopg.sql import SQL, Identifier

            statement = SQL("DELETE FROM {} WHERE thread_id = %s OR starts_with(thread_id, %s)")
            with psycopg.connect(self.url.get_secret_value()) as connection:
                for table in _TABLES:
                    found: Any = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
                    if found[0] is not None:
                        query = statement.format(Identifier(table))
                        connection.execute(query, (run_id, f"{run_id}/"))


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    psycopg = import_extra("psycopg", extra="postgres", purpose="keeping checkpoints in Postgres")
    try:
        yield
    except psycopg.Error as error:
        raise ServiceError(
            f"the Postgres server of checkpoints_url failed ({error})",
            remedy="check that it runs and that the address is right",
        ) from error
