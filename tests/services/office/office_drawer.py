"""What lies in the office's drawer: a small city, two of its people, and hours to act at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from libs.kernel import FourEyes, Hand, ProposalId
from services.office.domain.establishment import Entrustment, Establishment, Level, Organisation
from services.office.domain.staff.commands import Appoint, Dismiss, EndAppointment
from services.office.domain.staff.events import Appointed, AppointmentEnded, Dismissed
from services.office.domain.statute.commands import ApproveEdition, FoundEdition, ProposeEdition
from services.office.domain.statute.events import EditionEnacted, EditionFounded, EditionProposed

MONDAY = datetime(2026, 9, 7, 1, 0, tzinfo=UTC)
TUESDAY, A_MONTH_LATER = MONDAY + timedelta(days=1), MONDAY + timedelta(days=30)
BY_THE_WALL = MONDAY - timedelta(days=100)
"""What the machine's clock shows while it is Tuesday in the city, which was moved ahead."""
CITY = "330900"
HEAD, DEPUTY, LIN = Hand("head-1"), Hand("deputy-1"), Hand("lin-1")

SMALL_CITY = Establishment(
    organisations={
        name: Organisation(id=name, level=level, parent=parent)
        for name, level, parent in (
            ("province", "province", ""),
            ("city", "prefecture", "province"),
            ("centre", "centre", "city"),
            ("east", "district", "centre"),
            ("east-street", "sub_district", "east"),
            ("east-outlet", "community", "east-street"),
            ("west", "district", "centre"),
            ("police", "police", "city"),
        )
    },
    levels={
        "province": Level(duties=frozenset(), tasks=frozenset({"supervise"})),
        "prefecture": Level(duties=frozenset({"auditor"}), tasks=frozenset({"issue"})),
        "centre": Level(duties=frozenset({"centre", "operator"}), tasks=frozenset({"keep_base_data"})),
        "district": Level(duties=frozenset({"clerk"}), tasks=frozenset({"collect", "publicise", "distribute"})),
        "sub_district": Level(duties=frozenset({"clerk"}), tasks=frozenset({"collect", "publicise", "distribute"})),
        "community": Level(duties=frozenset({"clerk"}), tasks=frozenset({"collect", "hand_over"})),
        "police": Level(duties=frozenset({"clerk"}), tasks=frozenset({"endorse"})),
    },
    entrusted=(Entrustment(by="police", to="east-outlet", task="endorse"),),
    apart=(frozenset({"operator", "centre"}), frozenset({"clerk", "auditor"})),
)

a_clerk_in_the_east = Appoint(
    staff_id="S", login=LIN, appointment_id="A1", duty="clerk", organisation="east-outlet",
    at=MONDAY, since=MONDAY, until=None, by=HEAD, reach="centre", under=SMALL_CITY,
)  # fmt: skip
clerk_in_the_east = Appointed(
    staff_id="S", appointment_id="A1", duty="clerk", organisation="east-outlet", at=MONDAY, until=None
)
a_dismissal = Dismiss(
    staff_id="S", own=False, appointment_id="A1", at=TUESDAY, reason="moved", by=HEAD, reach="centre", under=SMALL_CITY,
    struck_at=BY_THE_WALL,
)  # fmt: skip
dismissed = Dismissed(
    staff_id="S", appointment_id="A1", at=TUESDAY, reason="moved", duty="clerk", organisation="east-outlet",
    struck_at=BY_THE_WALL,
)  # fmt: skip
until_tuesday = replace(clerk_in_the_east, until=TUESDAY)
the_end_of_tuesday = EndAppointment(staff_id="S", appointment_id="A1", at=TUESDAY, struck_at=BY_THE_WALL)
ended = AppointmentEnded(
    staff_id="S", appointment_id="A1", duty="clerk", organisation="east-outlet", at=TUESDAY, struck_at=BY_THE_WALL
)

a_first_start = FoundEdition(city=CITY, edition="aa", at=MONDAY)
founded = EditionFounded(city=CITY, edition="aa", at=MONDAY)
a_proposal = ProposeEdition(city=CITY, edition="bb", at=MONDAY, proposal_id=ProposalId("P1"), by=HEAD)
proposed = EditionProposed(
    city=CITY, edition="bb", at=MONDAY, proposal_id=ProposalId("P1"), by=HEAD, until=A_MONTH_LATER
)
an_approval = ApproveEdition(city=CITY, at=TUESDAY, proposal_id=ProposalId("P1"), by=DEPUTY)
enacted = EditionEnacted(
    city=CITY, edition="bb", at=TUESDAY, proposal_id=ProposalId("P1"),
    eyes=FourEyes(proposed_by=HEAD, approved_by=DEPUTY),
)  # fmt: skip
