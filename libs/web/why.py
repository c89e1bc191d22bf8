"""The answer to "why?" on the wire: the same for a verdict, a deadline, a fee, a block, and within every problem."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from libs.kernel.why import Decision, Names, Said, Why, told


class SaidView(BaseModel):
    """A text in the two languages in which a city answers."""

    zh: str
    en: str

    @classmethod
    def of(cls, said: Said) -> "SaidView":
        return cls(zh=said.zh, en=said.en)


class GroundView(BaseModel):
    """A dated value of the city's bylaws, as it was applied."""

    rule: str = Field(description="Stable id: where the value stands in the city's pack; the row of a table after `#`.")
    basis: SaidView = Field(description="The legal text behind it.")
    valid_from: date = Field(description="The day from which it holds.")
    recorded_on: date = Field(description="The day on which the city wrote it down.")
    edition: str = Field(description="The edition of the city's bylaws that was applied.")


class FactUsedView(BaseModel):
    """What a department had said."""

    fact: str
    department: str
    valid_from: date
    stated_at: datetime


class WhyView(BaseModel):
    """By which rule and on which facts the city decided, and what is missing."""

    decision: Decision
    said: SaidView = Field(description="The decision in one sentence.")
    grounds: list[GroundView]
    facts: list[FactUsedView]
    missing: list[str] = Field(description="For a refusal: the facts of which any one would change it.")
    at: datetime | None
    text: SaidView = Field(description="All of it, for citizen, clerk and appeal file alike.")

    @classmethod
    def of(cls, why: Why, names: Names) -> "WhyView":
        return cls(
            decision=why.decision,
            said=SaidView.of(why.said),
            grounds=[
                GroundView(
                    rule=one.rule,
                    basis=SaidView.of(one.basis),
                    valid_from=one.valid_from,
                    recorded_on=one.recorded_on,
                    edition=one.edition,
                )
                for one in why.grounds
            ],
            facts=[
                FactUsedView(
                    fact=one.fact, department=one.department, valid_from=one.valid_from, stated_at=one.stated_at
                )
                for one in why.facts
            ],
            missing=list(why.missing),
            at=why.at,
            text=SaidView.of(told(why, names)),
        )
