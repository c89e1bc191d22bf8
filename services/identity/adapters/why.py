"""Why identity decided so about a correction, an entry, a record or a row of a roll: by the rules as they were then."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from libs.eventsourcing.store import Recorded
from libs.kernel import Missing
from libs.kernel.ids import city_of
from libs.kernel.why import Decision, Ground, Said, Why, by_the_clock
from libs.runtime.citypack import CityPack, CityPacks
from services.identity.adapters.roll_files import REMEDIES
from services.identity.domain.delivery.decider import DeliveryUnknown, RecordNotAside
from services.identity.domain.delivery.events import Aside, RecordsAnnounced, RecordSettled, RecordsTaken, Settled
from services.identity.domain.duplicate.events import DuplicateFound, DuplicateSettled, Ruling
from services.identity.domain.duplicate.state import Duplicate
from services.identity.domain.duplicate.state import Settled as CaseIsSettled
from services.identity.domain.events import (
    ContactGiven,
    CorrectionRefused,
    CorrectionRequested,
    EntitlementJudged,
    FactStated,
    MergeFailed,
    MergeProposed,
    NobodyTakenIn,
    PartingProposed,
    PersonalDataRevealed,
    PersonCorrected,
    PersonErased,
    PersonMerged,
    PersonParted,
    PersonRegistered,
    PersonReleased,
    PersonTakenIn,
    ProposalDeclined,
)
from services.identity.domain.roll.events import Outcome, PageCarriedOut, PartReceived, RollOpened, RowVerdict
from services.ids import PersonId, RollId

Story = Sequence[tuple[Any, Recorded]]

VERDICT = "/v1/persons/{person_id}/entitlements/{programme}/why"
CORRECTION = "/v1/persons/{person_id}/corrections/{correction_id}/why"
ENTRY = "/v1/persons/{person_id}/entry/why"
RECORD = "/v1/deliveries/{delivery_id}/why"
ROW = "/v1/rolls/{roll_id}/why"

EXPLAINED: Mapping[type, str] = {
    EntitlementJudged: VERDICT,
    PersonCorrected: CORRECTION,
    CorrectionRefused: CORRECTION,
    MergeProposed: ENTRY,
    PersonMerged: ENTRY,
    MergeFailed: ENTRY,
    PartingProposed: ENTRY,
    PersonParted: ENTRY,
    ProposalDeclined: ENTRY,
    RecordsTaken: RECORD,
    RecordSettled: RECORD,
    PageCarriedOut: ROW,
    DuplicateFound: ROW,
    DuplicateSettled: ROW,
}
"""Each fact by which the city grants, refuses, sets a deadline or stops something, and where it can be asked why.

A fact of a person, a delivery, a roll or a case stands here, or in one of the two lists below, or the tests fail.
"""

EXPLAINED_ELSEWHERE: Mapping[type, str] = {
    PersonTakenIn: "follows from PersonMerged, which is explained with the entry that gave way",
    PersonReleased: "follows from PersonParted, which is explained with the entry that stands for itself again",
    NobodyTakenIn: "follows from the erasure of this person; the other entry's MergeFailed says so",
}
"""Decisions whose explanation stands with the one from which they follow."""

NOTHING_DECIDED: frozenset[type] = frozenset(
    {
        PersonRegistered, ContactGiven, FactStated, PersonalDataRevealed, PersonErased, CorrectionRequested,
        RecordsAnnounced, RollOpened, PartReceived,
    }
)  # fmt: skip
"""What somebody said, asked for, sent or saw: no grant, refusal, deadline, fee or block of the city.

An erasure is an order that is carried out, and afterwards there is nobody left of whom anything could be said.
"""

_ESTABLISHMENT, _MASS_ISSUE = "organisations.establishment", "programme.mass_issue"


class NotDecidedYet(Missing):
    """Nothing has been decided about this yet; ask again when it has been."""


class RowNotJudged(Missing):
    """Line {line} of part {part} is no row that was carried out; see how far the roll is, and count the heading too."""


def why_corrected(person: PersonId, correction_id: str, story: Story, packs: CityPacks) -> Why:
    """Why base data were corrected, or stay as they are. Raises NotDecidedYet."""
    pack = packs[city_of(person)]
    asked = next((one for one, _ in story if _is(one, CorrectionRequested, correction_id)), None)
    for fact, row in story:
        if _is(fact, PersonCorrected, correction_id):
            decision, said = Decision.GRANT, _corrected(fact, asked.proof if asked else "", pack)
        elif _is(fact, CorrectionRefused, correction_id):
            reason = _REASONS.get(fact.reason, Said(zh=fact.reason, en=fact.reason))
            decision = Decision.REFUSAL
            said = Said(
                zh=f"市民卡中心未更正登记信息：{reason.zh}",
                en=f"the card centre left the data as they are: {reason.en}",
            )
        else:
            continue
        return Why(city=pack.code, decision=decision, said=said, grounds=_of_base_data(pack, fact.at, row), at=fact.at)
    raise NotDecidedYet


def why_entry(person: PersonId, story: Story, packs: CityPacks) -> Why:
    """Why an entry of the register stands under another, for itself again, or waits. Raises NotDecidedYet."""
    pack = packs[city_of(person)]
    proposed: dict[str, MergeProposed | PartingProposed] = {}
    answer: Why | None = None
    for fact, row in story:
        match fact:
            case MergeProposed() | PartingProposed():
                proposed[fact.proposal_id] = fact
                decision, said = Decision.DEADLINE, _proposed(fact)
            case PersonMerged():
                decision, said = Decision.BLOCK, _merged(fact.into, proposed.get(fact.proposal_id))
            case PersonParted():
                decision, said = Decision.GRANT, _parted(fact.into, proposed.get(fact.proposal_id))
            case MergeFailed():
                decision = Decision.REFUSAL
                said = Said(
                    zh=f"未予合并：登记{fact.into}的信息已删除，本登记照旧",
                    en=f"not merged: the data of {fact.into} were erased, and this entry stays as it was",
                )
            case ProposalDeclined():
                decision = Decision.REFUSAL
                said = Said(
                    zh="提议未获同意或已撤回，登记照旧",
                    en="whoever looked said no, or it was taken back; the entry stays as it was",
                )
            case _:
                continue
        grounds = _of_base_data(pack, fact.at, row)
        answer = Why(city=pack.code, decision=decision, said=said, grounds=grounds, at=fact.at)
    if answer is None:
        raise NotDecidedYet
    return answer


def why_aside(row: int, story: Story, packs: CityPacks) -> Why:
    """Why a record of a delivery was put aside, until when it is kept, and what became of it.

    Raises DeliveryUnknown, RecordNotAside.
    """
    if not story:
        raise DeliveryUnknown
    came: tuple[RecordsTaken, Aside, Recorded] | None = None
    settled: RecordSettled | None = None
    for fact, recorded in story:
        if isinstance(fact, RecordsTaken):
            came = next(((fact, one, recorded) for one in fact.aside if one.row == row), came)
        if isinstance(fact, RecordSettled) and fact.row == row:
            settled = fact
    if came is None:
        raise RecordNotAside(row=row)
    taken, aside, recorded = came
    wrong = Said(zh=IN_CHINESE.get(aside.code, aside.detail), en=aside.detail.rstrip("."))
    decision, said = _settled(wrong, settled) if settled else (Decision.REFUSAL, _waits(wrong, taken.forgotten_at))
    return Why(
        city=taken.city,
        decision=decision,
        said=said,
        grounds=_only(packs[taken.city].ground("feeds.agreements", taken.at, recorded.edition, taken.department)),
        at=settled.at if settled else taken.at,
    )


def why_row(roll_id: RollId, part: int, line: int, story: Story, case: Duplicate, packs: CityPacks) -> Why:
    """Why a row of a roll brought a card without an application, or none; `case` is how a clerk sees it, if one looks.

    Raises RowNotJudged.
    """
    pack = packs[city_of(roll_id)]
    programme = next((fact.programme for fact, _ in story if isinstance(fact, RollOpened)), "")
    for page, row in story:
        if isinstance(page, PageCarriedOut) and page.part == part and page.first_line <= line <= page.last_line:
            verdict = page.of_each_row[line - page.first_line]
            decision, said = _row(verdict, case)
            leaf = _RULE_OF.get(verdict.code, "" if verdict.outcome is Outcome.REJECTED else _MASS_ISSUE)
            ground = pack.ground(f"{programme}/{leaf}", page.at, row.edition) if leaf else None
            return Why(city=pack.code, decision=decision, said=said, grounds=_only(ground), at=page.at)
    raise RowNotJudged(part=part, line=line)


_RULE_OF: Mapping[str, str] = {"not-entitled": "programme.eligibility"}
"""By what else than the conditions of issue without application a row is left out."""


def _of_base_data(pack: CityPack, at: datetime, row: Recorded) -> tuple[Ground, ...]:
    """Whose task base data are: an outlet asks, and whoever keeps them decides (R35, R169)."""
    edition = row.edition
    bare = pack.ground(_ESTABLISHMENT, at, edition)
    if bare is None:
        return ()
    levels: Mapping[str, Any] = pack.dated(_ESTABLISHMENT, Any).at(at)["levels"]
    keepers = (level for level, about in levels.items() if "keep_base_data" in about.get("tasks", ()))
    return _only(pack.ground(_ESTABLISHMENT, at, edition, next(keepers, "")))


_FIELDS: Mapping[str, Said] = {
    "name": Said(zh="姓名", en="name"),
    "number": Said(zh="证件号码", en="number"),
    "issuer": Said(zh="签发国", en="issuing state"),
    "birth": Said(zh="出生日期", en="birth date"),
    "document": Said(zh="证件种类", en="kind of document"),
}

_REASONS: Mapping[str, Said] = {
    "proof_insufficient": Said(zh="证明材料不足", en="the document does not show it"),
    "proof_unreadable": Said(zh="证明材料无法辨认", en="the document cannot be read"),
    "data_right_already": Said(zh="登记信息本已正确", en="they are right already"),
    "change_at_police_first": Said(zh="须先到公安机关变更", en="they are to be changed at the police first"),
    "registered_twice": Said(zh="重复登记", en="registered twice"),
    "document_renewed": Said(zh="证件换发", en="the document was renewed"),
    "old_and_new_form": Said(zh="同一证件的新旧号码", en="one document in its old and its new form"),
    "number_corrected": Said(zh="证件号码更正", en="the number was corrected"),
    "two_persons": Said(zh="并非同一人", en="they are two persons"),
    "wrong_entry": Said(zh="合并对象有误", en="it was the wrong entry"),
}


def _corrected(fact: PersonCorrected, proof: str, pack: CityPack) -> Said:
    shown, fields = pack.named("document", proof), [_FIELDS[one] for one in fact.changes]
    zh, en = "、".join(one.zh for one in fields), ", ".join(one.en for one in fields)
    return Said(zh=f"经核对{shown.zh}，更正{zh}", en=f"corrected after a look at the {shown.en}: {en}")


def _proposed(fact: MergeProposed | PartingProposed) -> Said:
    until, why = by_the_clock(fact.until), _REASONS[fact.reason]
    if isinstance(fact, MergeProposed):
        zh, en = f"提议并入登记{fact.into}（{why.zh}）", f"proposed to stand under {fact.into} ({why.en})"
    else:
        zh, en = f"提议撤销合并（{why.zh}）", f"proposed to stand for itself again ({why.en})"
    return Said(
        zh=f"{zh}，须由另一人于{until}前同意，逾期失效",
        en=f"{en}; another person must approve it by {until}, or it lapses",
    )


def _merged(into: PersonId, proposal: MergeProposed | PartingProposed | None) -> Said:
    why = _because(proposal)
    return Said(
        zh=f"经两人核实{why.zh}，与登记{into}为同一人，本登记停用，以该登记为准",
        en=f"two people have found that {into} is the same person{why.en}; that entry stands for both",
    )


def _parted(into: PersonId, proposal: MergeProposed | PartingProposed | None) -> Said:
    why = _because(proposal)
    return Said(
        zh=f"经两人核实{why.zh}，与登记{into}并非同一人，本登记恢复",
        en=f"two people have found that it was wrong to merge it into {into}{why.en}; it stands for itself again",
    )


def _because(proposal: MergeProposed | PartingProposed | None) -> Said:
    if proposal is None:
        return Said(zh="", en="")
    reason = _REASONS[proposal.reason]
    return Said(zh=f"（{reason.zh}，凭证{proposal.reference}）", en=f" ({reason.en}, record {proposal.reference})")


def _waits(wrong: Said, kept_until: datetime) -> Said:
    return Said(
        zh=f"未收录：{wrong.zh}；原记录保存至{by_the_clock(kept_until)}",
        en=f"put aside: {wrong.en}; the record is kept until {by_the_clock(kept_until)}",
    )


def _settled(wrong: Said, settled: RecordSettled) -> tuple[Decision, Said]:
    """The words of whoever has looked are quoted as they were said."""
    if settled.outcome is Settled.TAKEN:
        zh, en = "原未收录，现已收录", "put aside at first, taken in since"
        return Decision.GRANT, Said(
            zh=f"{zh}（{settled.reason}）：{wrong.zh}", en=f"{en} ({settled.reason}): {wrong.en}"
        )
    zh, en = f"未收录并已作废（{settled.reason}）", f"put aside, and discarded since ({settled.reason})"
    return Decision.REFUSAL, Said(zh=f"{zh}：{wrong.zh}", en=f"{en}: {wrong.en}")


def _row(verdict: RowVerdict, case: Duplicate) -> tuple[Decision, Said]:
    wrong = Said(zh=IN_CHINESE.get(verdict.code, verdict.code), en=REMEDIES.get(verdict.code, verdict.code))
    match verdict.outcome:
        case Outcome.ORDERED:
            zh, en = (
                "符合免申领条件，已安排制卡",
                "the conditions of issue without application are met: a card is ordered",
            )
            return Decision.GRANT, Said(zh=zh, en=en)
        case Outcome.NOTED:
            return Decision.GRANT, Said(
                zh="符合免申领条件，此人已登记，尚无卡的安排制卡",
                en="the conditions of issue without application are met by somebody whom the register knows: a card is "
                "ordered unless there is one, or one on its way",
            )
        case Outcome.LEFT_OUT:
            return Decision.REFUSAL, Said(zh=f"不予免申领制卡：{wrong.zh}", en=f"no card without applying: {wrong.en}")
        case Outcome.REJECTED:
            column = verdict.field
            return Decision.REFUSAL, Said(
                zh=f"该行（{column}）有误：{wrong.zh}", en=f"the row is faulty in {column}: {wrong.en}"
            )
        case Outcome.CASE:
            return _in_a_case(wrong, case)


def _in_a_case(wrong: Said, case: Duplicate) -> tuple[Decision, Said]:
    """Whether a clerk has ruled on it, and how."""
    if not isinstance(case, CaseIsSettled):
        return Decision.BLOCK, Said(zh=f"暂缓办理：{wrong.zh}", en=f"it waits: {wrong.en}")
    if case.ruling is Ruling.SAME_PERSON:
        zh, en = (
            "经人工比对为同一人，照名册办理",
            "a clerk has found one and the same person, and the row is carried out",
        )
        return Decision.GRANT, Said(zh=zh, en=en)
    zh, en = "经人工比对并非同一人，可到窗口申领", "a clerk has found another person, who may apply at a counter"
    return Decision.REFUSAL, Said(zh=zh, en=en)


IN_CHINESE: Mapping[str, str] = {
    "columns": "每行应有十列，请与表头核对",
    "quotes": "引号未闭合",
    "nul": "含空字节，文件已损坏，请重新导出",
    "too-long": "字段过长，请与原记录核对",
    "unreadable": "含无法辨认的字符，请以UTF-8重新导出",
    "kind-unknown": "证件种类不明",
    "number-misshapen": "证件号码格式不符，请照证件填写",
    "check-character-wrong": "证件号码校验位不符，请与证件核对",
    "kind-mistaken": "号码属于另一种证件，请核对证件种类",
    "birth-date-unreal": "号码中的出生日期不存在，请与证件核对",
    "birth-date-ahead": "号码中的出生日期尚未到来，请与证件核对",
    "birth-date-too-long-ago": "号码中的出生日期过于久远，请与证件核对",
    "issuer-misshapen": "护照未注明签发国；名册不收护照，请本人到窗口申领",
    "birth-date-needed": "号码不含出生日期，请另行填写",
    "birth-date-mismatch": "出生日期与证件号码不符",
    "birth-date-implausible": "出生日期尚未到来或过于久远",
    "name-missing": "未填姓名",
    "mobile-unfit": "手机号码有误，请更正或留空",
    "fact-unknown": "该部门无权提供此项事实",
    "fact-not-yours": "该部门无权提供此项事实",
    "validity-reversed": "终止日期早于起始日期",
    "person-unknown": "此人尚未登记",
    "data-erased": "此人的信息已删除",
    "merged-away": "此人已并入另一登记",
    "record-unreadable": "记录格式与约定不符，请更正后重新报送",
    "record-too-long": "记录过长",
    "record-not-opened": "记录未用该部门的密钥加密",
    "day-unreal": "日期应为真实日期，格式YYYY-MM-DD",
    "day-ahead": "该事实尚未生效",
    "reference-unfit": "凭证编号格式不符，且不得含证件号码",
    "accurate-unclear": "应填yes或no",
    "outlet-unknown": "本市没有该网点",
    "twice-in-roll": "此人已在本名册中，无需处理",
    "not-insured": "未参加所要求的任何一项保险，可到窗口申领",
    "record-not-accurate": "参保信息不准确，请在源头更正后再列入",
    "no-second-generation-id": "没有第二代居民身份证，可办证后再列入，或到窗口申领",
    "not-entitled": "依本市规定不符合申领条件，可到窗口询问原因",
    "erased": "此人的信息已删除，须到窗口重新登记",
    "old-and-new-form": "登记中已有同一证件的另一种号码，由人工比对",
    "other-name": "登记中同一证件的姓名不同，由人工比对",
    "refused": "登记系统未接受，请询问市民卡中心",
}
"""What is wrong with a row or a record, by its code; in English `REMEDIES` and the refusals themselves say it."""


def _is(fact: Any, kind: type, correction_id: str) -> bool:
    return isinstance(fact, kind) and fact.correction_id == correction_id  # type: ignore[attr-defined]


def _only(ground: Ground | None) -> tuple[Ground, ...]:
    return () if ground is None else (ground,)
