"""Cases of the pretended Kibana: their versions, comments and attached alerts, as strictly as Kibana takes them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from lab.kibana_state import Json, Refused, State, body_of, checked, texts

OWNERS = ("securitySolution", "observability", "cases")
SEVERITIES = ("low", "medium", "high", "critical")
STATUSES = ("open", "in-progress", "closed")
MOST_ALERTS = 1000
LONGEST_TEXT, LONGEST_TITLE, LONGEST_TAG = 30_000, 160, 256
NEW = {
    "title": True, "description": True, "tags": True, "owner": True, "connector": True, "settings": True,
    "severity": False, "category": False, "assignees": False, "customFields": False,
}  # fmt: skip
UPDATE = {"id": True, "version": True, "status": False} | dict.fromkeys(NEW, False)


def routes(state: State) -> Blueprint:
    """The routes of this part, without the prefix of the space."""
    part = Blueprint("cases", __name__)
    _case_routes(part, state)
    _comment_routes(part, state)
    return part


def _case_routes(part: Blueprint, state: State) -> None:
    @part.post("/api/cases")
    def create() -> ResponseReturnValue:
        body = body_of(NEW)
        _check(body)
        case = {"severity": "low", "category": None, "assignees": [], "customFields": []} | body
        case |= {"id": str(uuid.uuid4()), "status": "open", "created_at": _now(), "updated_at": None}
        case |= {"version": state.next_version(), "closed_at": None, "totalComment": 0, "totalAlerts": 0}
        state.cases[state.space, case["id"]], state.comments[case["id"]] = case, []
        return jsonify(case)

    @part.patch("/api/cases")
    def update() -> ResponseReturnValue:
        body = body_of({"cases": True})
        if not isinstance(body["cases"], list) or not 1 <= len(body["cases"]) <= 100:
            raise Refused(400, "[request body]: The length of the field cases must be from 1 to 100")
        return jsonify([_update(state, item) for item in body["cases"]])

    @part.get("/api/cases/_find")
    def find() -> ResponseReturnValue:
        page, per_page = _paging({"tags", "owner", "status", "sortField", "sortOrder", "page", "perPage"})
        tags, owners = request.args.getlist("tags"), request.args.getlist("owner")
        found = [
            case
            for (space, _), case in state.cases.items()
            if space == state.space
            and (not tags or set(tags) & set(case["tags"]))
            and (not owners or case["owner"] in owners)
        ]
        shown = found[(page - 1) * per_page : page * per_page]
        return jsonify({"cases": shown, "page": page, "per_page": per_page, "total": len(found)})

    @part.get("/api/cases/<id_>")
    def read(id_: str) -> ResponseReturnValue:
        return jsonify(_case(state, id_))

    @part.get("/api/cases/alerts/<alert_id>")
    def of_alert(alert_id: str) -> ResponseReturnValue:
        cases = [c for (space, _), c in state.cases.items() if space == state.space]
        return jsonify([{"id": c["id"], "title": c["title"]} for c in cases if alert_id in _attached(state, c["id"])])


def _comment_routes(part: Blueprint, state: State) -> None:
    @part.get("/api/cases/<id_>/alerts")
    def alerts(id_: str) -> ResponseReturnValue:
        _case(state, id_)
        return jsonify([
            {"id": alert_id, "index": index, "attached_at": comment["created_at"]}
            for comment in state.comments[id_]
            if comment["type"] == "alert"
            for alert_id, index in zip(comment["alertId"], comment["index"], strict=True)
        ])  # fmt: skip

    @part.get("/api/cases/<id_>/comments/_find")
    def comments(id_: str) -> ResponseReturnValue:
        page, per_page = _paging({"page", "perPage", "sortOrder"})
        _case(state, id_)
        there = state.comments[id_]
        shown = there[(page - 1) * per_page : page * per_page]
        return jsonify({"comments": shown, "page": page, "per_page": per_page, "total": len(there)})

    @part.post("/api/cases/<id_>/comments")
    def comment(id_: str) -> ResponseReturnValue:
        with state.lock:
            case = _case(state, id_)
            state.comments[id_].append(_comment(state, id_) | {"id": str(uuid.uuid4()), "created_at": _now()})
            case["totalComment"] = sum(c["type"] == "user" for c in state.comments[id_])
            case["totalAlerts"] = len(_attached(state, id_))
            _touch(state, case)
        return jsonify(case | {"comments": state.comments[id_]})


def _comment(state: State, id_: str) -> Json:
    kind = (request.get_json(silent=True) or {}).get("type")
    if kind == "user":
        body = body_of({"type": True, "comment": True, "owner": True})
        _text(body["comment"], "comment", LONGEST_TEXT)
    elif kind == "alert":
        body = body_of({"type": True, "alertId": True, "index": True, "rule": True, "owner": True})
        ids, indices = texts(body["alertId"], "alertId"), texts(body["index"], "index")
        if len(ids) != len(indices):
            raise Refused(400, "The alertId and index arrays must have the same length")
        rule = checked(body["rule"], {"id": True, "name": True}, "[request body].rule")
        if not all(isinstance(rule[name], str) for name in rule):
            raise Refused(400, "[request body]: one rule for each call")
        if len(_attached(state, id_) | set(ids)) > MOST_ALERTS:
            raise Refused(400, f"Case has reached the maximum allowed number ({MOST_ALERTS}) of attached alerts.")
    else:
        raise Refused(400, f'Invalid value "{kind}" supplied to "type"')
    if body["owner"] != _case(state, id_)["owner"]:
        raise Refused(400, "The owner field of the comment does not match the case's")
    return body


def _update(state: State, item: Any) -> Json:
    body = checked(item, UPDATE, "[request body].cases")
    with state.lock:
        case = _case(state, body["id"])
        if body["version"] != case["version"]:
            raise Refused(
                409, f"These cases {body['id']} has been updated. Please refresh before saving additional updates."
            )
        _check(body)
        if body.get("status", "open") not in STATUSES:
            raise Refused(400, f'Invalid value "{body["status"]}" supplied to "cases,status"')
        change = {k: v for k, v in body.items() if k not in ("id", "version") and case.get(k) != v}
        if not change:
            raise Refused(406, "All update fields are identical to current version.")
        case |= change
        case["closed_at"] = _now() if case["status"] == "closed" else None
        if case["settings"]["syncAlerts"] and "status" in change:
            status = {"in-progress": "acknowledged"}.get(case["status"], case["status"])
            for alert_id in _attached(state, case["id"]):
                state.alerts.change(state.space, alert_id, {"kibana.alert.workflow_status": status})
        _touch(state, case)
        return case


def _check(body: Json) -> None:
    for name, longest in (("title", LONGEST_TITLE), ("description", LONGEST_TEXT)):
        if name in body:
            _text(body[name], name, longest)
    if len(texts(body.get("tags", []), "tags")) > 200 or any(len(t) > LONGEST_TAG for t in body.get("tags", [])):
        raise Refused(400, f"The length of the tag is too long. The maximum length is {LONGEST_TAG}.")
    if body.get("owner", OWNERS[0]) not in OWNERS:
        raise Refused(403, f'Unauthorized to create case with owners: "{body["owner"]}"')
    if body.get("severity", "low") not in SEVERITIES:
        raise Refused(400, f'Invalid value "{body["severity"]}" supplied to "severity"')
    if "connector" in body:
        checked(
            body["connector"], {"id": True, "name": True, "type": True, "fields": False}, "[request body].connector"
        )
        if "fields" not in body["connector"]:
            raise Refused(400, 'Invalid value "undefined" supplied to "connector,fields"')
    if "settings" in body:
        settings = checked(
            body["settings"], {"syncAlerts": True, "extractObservables": False}, "[request body].settings"
        )
        if not isinstance(settings["syncAlerts"], bool):
            raise Refused(400, 'Invalid value supplied to "settings,syncAlerts"')


def _text(value: Any, name: str, longest: int) -> None:
    if not isinstance(value, str) or not value.strip():
        raise Refused(400, f"The {name} field cannot be an empty string.")
    if len(value) > longest:
        raise Refused(400, f"The length of the {name} is too long. The maximum length is {longest}.")


def _case(state: State, id_: str) -> Json:
    if (state.space, id_) not in state.cases:
        raise Refused(404, f"Saved object [cases/{id_}] not found")
    return state.cases[state.space, id_]


def _attached(state: State, id_: str) -> set[str]:
    return {i for c in state.comments[id_] if c["type"] == "alert" for i in c["alertId"]}


def _touch(state: State, case: Json) -> None:
    case |= {"version": state.next_version(), "updated_at": _now()}


def _paging(allowed: set[str]) -> tuple[int, int]:
    if unknown := set(request.args) - allowed:
        raise Refused(400, f'invalid keys "{",".join(sorted(unknown))}"')
    page, per_page = (int(request.args.get(name, default)) for name, default in (("page", 1), ("perPage", 20)))
    if not 1 <= per_page <= 100 or page < 1:
        raise Refused(400, "The provided perPage value is too high. The maximum allowed perPage value is 100.")
    return page, per_page


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
