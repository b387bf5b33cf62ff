"""Research behind a web service: one client for all requests, a stream that a hang-up stops.

    uvicorn fastapi_app:app

A run by itself asks the service once, in process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from leadline import AsyncLeadline, InputError, ServiceError
from own_engine import QUESTION, RuleEngine, documents


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    client = AsyncLeadline(corpora=[documents()], engine=RuleEngine(), reader="none")
    async with client as app.state.lead:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/answer")
async def answer(question: str, request: Request) -> dict[str, object]:
    lead: AsyncLeadline = request.app.state.lead
    try:
        report = await lead.run(question)
    except InputError as error:
        raise HTTPException(422, str(error)) from error
    except ServiceError as error:
        raise HTTPException(503, str(error)) from error
    return report.to_dict()


@app.get("/events")
async def events(question: str, request: Request) -> StreamingResponse:
    lead: AsyncLeadline = request.app.state.lead

    async def lines() -> AsyncIterator[str]:
        # Starlette closes this generator when the client hangs up, which stops the run.
        async with lead.stream(question) as stream:
            async for event in stream:
                yield event.model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def main() -> None:
    from fastapi.testclient import TestClient

    with TestClient(app) as web:
        print(web.get("/answer", params={"question": QUESTION}).json()["markdown"])
        kinds = [
            line[:60] for line in web.get("/events", params={"question": QUESTION}).iter_lines()
        ]
        print(len(kinds), "events")


if __name__ == "__main__":
    main()
