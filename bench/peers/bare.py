"""A FastAPI route with the same body and the same answer, and nothing behind it: `python -m bench.peers.bare PORT`."""

import sys
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI

from services.loss.routes import LossView, PreReportBody

app = FastAPI()


@app.post("/v1/cards/{card_id}/pre-reports", status_code=201)
async def pre_report(card_id: str, said: PreReportBody) -> LossView:
    return LossView(
        card_id=card_id,
        status="call_kept",
        stopped_at=datetime.now(UTC),
        advice="This card is not known here yet. The call is kept and stops the card as soon as it is; "
        "check the number with the caller.",
    )


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
