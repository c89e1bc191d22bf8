"""The city's business as one published definition: what can be asked where, what then has happened, and who goes on.

It is read from the services themselves, as a process puts them together, so nobody works by another one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.eventsourcing.codec import members
from libs.kernel import stored_name
from libs.runtime.service import Service, heard_by


def processes(services: Sequence[Service]) -> dict[str, Any]:
    """Every service's steps, and the way of each message from who tells it to whoever acts on it."""
    return {
        "services": {service.name: _steps(service) for service in services},
        "messages": {
            contract.type_name(): {
                "means": _sentence(contract),
                "told_by": teller.name,
                "then": _then(contract, services),
                "heard_by": sorted(one.name for one in services if contract in one.hears),
            }
            for teller in services
            for contract in teller.tells
        },
    }


def _steps(service: Service) -> dict[str, Any]:
    """Of each kind of stream, what can be asked about it and what can have happened to it."""
    return {
        desk.aggregate.category: {
            "can_be_asked": _named(members(desk.aggregate.commands)),
            "can_have_happened": _named(members(desk.aggregate.facts)),
        }
        for desk in service.desks
    }


def _then(contract: type, services: Sequence[Service]) -> Mapping[str, Sequence[str]]:
    """Who acts on this message, and in which sentence that is written."""
    found = {
        service.name: sorted(
            getattr(reaction, "__name__", "").replace("_", " ")
            for reaction in service.reactions
            if heard_by(reaction) is contract
        )
        for service in services
    }
    return {name: sentences for name, sentences in found.items() if sentences}


def _named(kinds: Sequence[type]) -> dict[str, str]:
    return {stored_name(kind): _sentence(kind) for kind in kinds}


def _sentence(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())
