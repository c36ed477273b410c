"""`GET /v1/orgs/{org_id}/history`: what happened in a period, beside the one before; and the same days as CSV."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter, SkipValidation

from edges.web.answers.answer import FieldError
from edges.web.answers.organisation import History
from edges.web.caching import UNCHANGED, kept
from edges.web.history import ChannelSort, Order, Today, read_history, read_today, write_csv
from edges.web.identity import BEARER, coordinators_of_org
from edges.web.problems import bad_fields, problem_answers
from edges.web.services import Opened
from models.identifiers import canonical_uuid
from models.periods import DAYS_DEFAULT, DAYS_MAX, BadPeriod, Period, read_period

AnyRequest = Request[Any, Any, Any]

CSV: Final = "text/csv"
_Days = Annotated[
    int | None,
    QueryParameter(
        ge=1, le=DAYS_MAX, description=f"So many days, today included; {DAYS_DEFAULT} where no period is named."
    ),
]
_Quarter = Annotated[
    str | None,
    QueryParameter(
        max_length=20, description="A quarter such as 2026-Q4, or `current`; until today if it is not over."
    ),
]
_From = Annotated[
    str | None,
    QueryParameter(
        name="from", max_length=20, description="The first day, such as 2026-11-01, as the organisation has it."
    ),
]
_To = Annotated[
    str | None, QueryParameter(name="to", max_length=20, description="The last day, included; left out: today.")
]
_Order = Annotated[Order, QueryParameter(description="Whether the first day comes first or the last.")]
_Sort = Annotated[ChannelSort, QueryParameter(description="What channels are sorted by: the most first, or by name.")]


class Asked(NamedTuple):
    """The period that a request names, not looked at yet."""

    days: int | None
    quarter: str | None
    first: str | None
    last: str | None

    def period(self, today: Today) -> Period:
        """Return it as days of the organisation; raises the 422 that names the parameter at fault."""
        try:
            return read_period(today.date, **self._asdict())
        except BadPeriod as fault:
            raise bad_fields(FieldError(field=fault.field, message=fault.message)) from None


_Asked: TypeAlias = NamedDependency[SkipValidation[Asked]]


def _asked(days: _Days = None, quarter: _Quarter = None, first: _From = None, last: _To = None) -> Asked:
    return Asked(days, quarter, first, last)


_ROUTE: Final[dict[str, Any]] = {
    "guards": [coordinators_of_org],
    "security": BEARER,
    "tags": ["organisation"],
    "dependencies": {"asked": Provide(_asked, sync_to_thread=False)},
}


@get(
    "/v1/orgs/{org_id:str}/history",
    summary="What happened in a period",
    responses=UNCHANGED | problem_answers(401, 403, 404, 422, 503),
    **_ROUTE,
)
async def history(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    asked: _Asked,
    order: _Order = "asc",
    sort: _Sort = "registered",
) -> Response[History]:
    """Answer with what happened by day and by channel, each beside the period before, in the organisation's days."""
    org_id = canonical_uuid(org_id)
    today = await read_today(services.database, org_id)
    period = asked.period(today)
    return kept(request, await read_history(services.database, org_id, today, period, order=order, sort=sort))


@get(
    "/v1/orgs/{org_id:str}/history.csv",
    summary="What happened in a period, as CSV",
    media_type=CSV,
    responses={
        200: ResponseSpec(
            str, description="A row for each day and channel with anything", media_type=CSV, generate_examples=False
        ),
        **problem_answers(401, 403, 404, 422, 503),
    },
    **_ROUTE,
)
async def history_csv(services: Opened, org_id: FromPath[str], asked: _Asked) -> Response[bytes]:
    """Answer with a row for each day and channel on which anything happened, by day."""
    org_id = canonical_uuid(org_id)
    period = asked.period(await read_today(services.database, org_id))
    return Response(
        await write_csv(services.database, org_id, period),
        media_type=CSV,
        headers={
            "Content-Disposition": f'attachment; filename="history-{period.first}-{period.last}.csv"',
            "Cache-Control": "no-store",
        },
    )


HANDLERS: Final = [history, history_csv]
