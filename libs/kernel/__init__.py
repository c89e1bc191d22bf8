"""The words in which a domain is written: facts, requests, states, refusals and decisions. Standard library only."""

from libs.kernel.calendar import Calendar, CalendarUnknown, Deadline
from libs.kernel.decider import Decider, Due, nothing_due
from libs.kernel.foureyes import FourEyes, Hand, ProposalId, Proposals, TwoPeople
from libs.kernel.outages import NoRoom, Outage, OutcomeUnknown
from libs.kernel.refusals import Clash, Forbidden, Missing, Refused, Unfit, refusal_code
from libs.kernel.sealed import Sealed
from libs.kernel.shapes import command, event, state, stored_name, value

__all__ = [
    "Calendar",
    "CalendarUnknown",
    "Clash",
    "Deadline",
    "Decider",
    "Due",
    "Forbidden",
    "FourEyes",
    "Hand",
    "Missing",
    "NoRoom",
    "Outage",
    "OutcomeUnknown",
    "ProposalId",
    "Proposals",
    "Refused",
    "Sealed",
    "TwoPeople",
    "Unfit",
    "command",
    "event",
    "nothing_due",
    "refusal_code",
    "state",
    "stored_name",
    "value",
]
