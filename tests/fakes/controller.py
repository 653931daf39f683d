# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for AWX's API, as far as the modules of awx.awx use it to make things: it keeps them and starts no job.

    with testing.served(controller.serve(controller.Controller(TOKEN))) as server: ...

It is strict where AWX is: what a list is filtered by must be a field, what is referred to must be there, secrets are
never shown again, names of what a schedule can start share one list, only a system administrator makes or changes
credential types, lists have pages, a name exists once in its organization, and what others use cannot be changed in every
way. `extra_vars_of` tells what a job gets, which is more than its template has: AWX adds the survey's defaults.
"""

import json
import threading
import urllib.parse
from collections.abc import Iterable
from typing import Any, Optional

from . import web

Item = dict[str, Any]

TYPES = {
    "organizations": "organization", "credential_types": "credential_type", "credentials": "credential",
    "execution_environments": "execution_environment", "projects": "project", "inventories": "inventory",
    "inventory_sources": "inventory_source", "hosts": "host", "groups": "group", "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template", "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_approval_templates": "workflow_approval_template", "schedules": "schedule",
    "notification_templates": "notification_template", "instance_groups": "instance_group", "labels": "label",
    "project_updates": "project_update",
}
STARTABLE = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
# A field by what it refers to.
REFERENCES = {
    "organization": ("organizations",), "credential_type": ("credential_types",), "inventory": ("inventories",),
    "project": ("projects",), "source_project": ("projects",), "execution_environment": ("execution_environments",),
    "default_environment": ("execution_environments",), "unified_job_template": (*STARTABLE, "workflow_approval_templates"),
    "workflow_job_template": ("workflow_job_templates",),
}
FILTERS = {"name", "type", "identifier", "page", "page_size", *REFERENCES}
# What makes an object unique, beside its name, with AWX's words for it. Of two missing organizations, none equals the other.
UNIQUE = {
    "credentials": ("organization", "credential_type"), "execution_environments": (), "credential_types": (),
    "hosts": ("inventory",), "groups": ("inventory",), "inventory_sources": ("inventory",),
    "schedules": ("unified_job_template",), "inventories": ("organization",), "projects": ("organization",),
    "job_templates": ("organization",), "workflow_job_templates": ("organization",), "notification_templates": ("organization",),
}
PAGE = 25
ENCRYPTED = "$encrypted$"
# What AWX fills in where nothing is given.
DEFAULTS: dict[str, Item] = {
    "inventories": {"kind": ""}, "hosts": {"has_inventory_sources": False}, "projects": {"status": "successful"},
    "credentials": {"organization": None}, "notification_templates": {"organization": None},
    "execution_environments": {"organization": None},
}
# Of a notification's configuration, by AWX's notification_type classes.
NOTIFICATION_SECRETS = {"token", "password", "account_token", "grafana_key"}
NOTIFICATION_FIELDS = {
    "slack": {"token", "channels"}, "webhook": {"url", "headers"},
    "email": {"host", "port", "username", "password", "use_tls", "use_ssl", "sender", "recipients"},
}


class Refused(Exception):
    def __init__(self, status: int, message: str, field: str = "detail") -> None:
        super().__init__(message)
        self.status, self.field = status, field

    @property
    def answer(self) -> Item:
        text = str(self)
        return {self.field: text if self.field in ("detail", "error") else [text]}


class Controller:
    """`items[endpoint][id]` is everything there is; `links[endpoint, id, kind]` the ids that are associated."""

    def __init__(self, token: str, machine_credential: str = "deploy", system_administrator: bool = True,
                 prefix: str = "/api", max_page_size: int = 200) -> None:
        """`token` is a system administrator's, or an organization administrator's. `prefix` is another behind AAP's gateway.

        `max_page_size` is AWX's setting MAX_PAGE_SIZE: no list gives more at once, whatever was asked for.
        """
        self.token, self.system_administrator, self.prefix, self.max_page_size = token, system_administrator, prefix, max_page_size
        self.unreachable: set[str] = set()  # addresses of projects whose update fails
        self.items: dict[str, dict[int, Item]] = {endpoint: {} for endpoint in TYPES}
        self.links: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Item] = {}
        self._last = 0
        self._lock = threading.Lock()
        organization = self.make("organizations", {"name": "Default"})
        machine = self.make("credential_types", {"name": "Machine", "kind": "ssh", "namespace": "ssh", "inputs": {}})
        self.make("credentials", {
            "name": machine_credential, "organization": organization["id"], "credential_type": machine["id"], "inputs": {}})
        self.make("instance_groups", {"name": "default"})

    def named(self, endpoint: str, name: str) -> Item:
        return next(item for item in self.items[endpoint].values() if item.get("name", item.get("identifier")) == name)

    def linked(self, endpoint: str, name: str, kind: str) -> list[str]:
        """The names of what is associated with the item of this name."""
        ids = self.links.get((endpoint, self.named(endpoint, name)["id"], kind), [])
        found = {item["id"]: item for items in self.items.values() for item in items.values()}
        return [str(found[number].get("name", found[number].get("identifier"))) for number in ids]

    def make(self, endpoint: str, fields: Item) -> Item:
        for field, endpoints in REFERENCES.items():
            if fields.get(field) and not any(int(fields[field]) in self.items[each] for each in endpoints):
                raise Refused(400, f"{field}: there is no {fields[field]}")
        self._refuse_another(endpoint, fields)
        self._refuse_content(endpoint, fields)
        self._last += 1
        url = f"{self.prefix}/v2/{endpoint}/{self._last}/"
        self.items[endpoint][self._last] = {
            **DEFAULTS.get(endpoint, {}), **fields, "id": self._last, "type": TYPES[endpoint], "url": url, "scm_revision": "",
            "related": {kind: f"{url}{kind}/" for kind in ("survey_spec", "hosts", "children", "update")},
            "summary_fields": {}}
        made = self.items[endpoint][self._last]
        if endpoint == "projects":
            self._fetch(made)
        return made

    def _refuse_another(self, endpoint: str, fields: Item) -> None:
        together = UNIQUE.get(endpoint)
        if together is None or (together and any(fields.get(field) is None for field in together)):
            return
        keys = ("name", *together)
        if any(all(item.get(key) == fields.get(key) for key in keys) for item in self.items[endpoint].values()):
            words = TYPES[endpoint].replace("_", " ").capitalize()
            if not together:
                raise Refused(400, f"{words} with this Name already exists.", "name")
            named = ", ".join(field.replace("_", " ").capitalize() for field in together)
            raise Refused(400, f"{words} with this {named} and Name already exists.", "__all__")

    def _refuse_content(self, endpoint: str, fields: Item) -> None:
        if endpoint == "notification_templates" and "notification_configuration" in fields:
            wanted = NOTIFICATION_FIELDS.get(fields["notification_type"], set())
            missing = sorted(wanted - set(fields["notification_configuration"]))
            if missing:
                raise Refused(
                    400, f"Missing required fields for Notification Configuration: {missing}.", "notification_configuration")
        if endpoint == "hosts" and len(fields["name"]) > 512:
            raise Refused(400, "Ensure this field has no more than 512 characters.", "name")
        if endpoint == "job_templates" and self.items["projects"].get(fields.get("project") or 0, {}).get("status") == "failed":
            raise Refused(400, "Playbook not found for project.", "playbook")
        if endpoint == "schedules" and not all(word in fields["rrule"] for word in ("DTSTART", "INTERVAL=")):
            raise Refused(400, "INTERVAL required in rrule." if "DTSTART" in fields["rrule"] else
                          "Valid DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ", "rrule")

    def _fetch(self, project: Item) -> Item:
        """Update the project. AWX shows the update as running, until it is over."""
        project["status"] = "failed" if project.get("scm_url") in self.unreachable else "successful"
        update = self.make("project_updates", {
            "status": project["status"], "failed": project["status"] == "failed", "finished": "2026-11-27T12:00:00Z",
            "event_processing_finished": True, "elapsed": 1.0, "started": "2026-11-27T12:00:00Z"})
        # The module waits a second for each update that it sees running.
        project["summary_fields"] = {"current_update": {"id": update["id"]}} if update["failed"] else {}
        return update

    def extra_vars_of(self, template: str, answers: Optional[Item] = None) -> Item:
        """The extra variables of a job: its template's, then the survey's defaults, then the answers.

        As awx/main/models/mixins.py (SurveyJobTemplateMixin._update_unified_job_kwargs) has it, however the job is started: a
        person, a schedule or a workflow. A launch over the API wants answers to required questions, default or not.
        """
        found = self.named("job_templates", template)
        asked = self.surveys.get(("job_templates", found["id"]), {}).get("spec", []) if found.get("survey_enabled") else []
        variables = json.loads(found.get("extra_vars") or "{}")
        for question in asked:
            if question.get("default") not in (None, "") or ("default" in question and question.get("min") == 0):
                variables[question["variable"]] = question["default"]
        return {**variables, **(answers or {})}

    # HTTP

    def __call__(self, request: web.Request) -> None:
        url = urllib.parse.urlsplit(request.path)
        try:
            with self._lock:
                if request.headers.get("Authorization") != f"Bearer {self.token}":
                    raise Refused(401, "who are you?")
                body = json.loads(request.body() or b"{}") if request.command in ("POST", "PATCH") else {}
                if not url.path.startswith(f"{self.prefix}/v2/"):
                    raise Refused(404, "The requested resource could not be found.")
                path = url.path.removeprefix(f"{self.prefix}/v2").strip("/").split("/")
                status, answer = self._answer(request.command, path, dict(urllib.parse.parse_qsl(url.query)), body)
        except Refused as refused:
            status, answer = refused.status, refused.answer
        request.answer(status, b"" if answer is None else json.dumps(answer).encode(), [("Content-Type", "application/json")])

    def _answer(self, method: str, path: list[str], query: dict[str, str], body: Item) -> tuple[int, Optional[Item]]:
        endpoint, rest = path[0], path[1:]
        if endpoint not in (*TYPES, "unified_job_templates"):
            raise Refused(404, f"no such endpoint: {endpoint}")
        if not rest:
            if method == "GET":
                return 200, self._list(endpoint, query)
            self._may_change(endpoint)
            return 201, self._shown(self.make(endpoint, body))
        item = self.items[endpoint].get(int(rest[0]))
        if item is None:
            raise Refused(404, "there is none")
        if len(rest) == 1:
            if endpoint == "project_updates":  # AWX shows it as running until it is read once
                for project in self.items["projects"].values():
                    if project["summary_fields"].get("current_update") == {"id": item["id"]}:
                        project["summary_fields"] = {}
            if method == "PATCH":
                self._may_change(endpoint)
                self._refuse_change(endpoint, item, body)
                fetched_from = item.get("scm_url")
                item.update(body)
                if endpoint == "projects" and item.get("scm_url") != fetched_from:
                    self._fetch(item)
            if method == "DELETE":
                del self.items[endpoint][item["id"]]
                for linked in self.links.values():
                    while item["id"] in linked:
                        linked.remove(item["id"])
                return 204, None
            return 200, self._shown(item)
        return self._below(method, endpoint, item, rest[1], query, body)

    def _may_change(self, endpoint: str) -> None:
        if endpoint == "credential_types" and not self.system_administrator:
            raise Refused(403, "You do not have permission to perform this action.")

    def _refuse_change(self, endpoint: str, item: Item, body: Item) -> None:
        if endpoint == "credential_types" and body.get("inputs", item["inputs"]) != item["inputs"] and any(
                credential["credential_type"] == item["id"] for credential in self.items["credentials"].values()):
            raise Refused(403, "Modifications to inputs are not allowed for credential types that are in use")
        if endpoint == "execution_environments" and body.get("organization") not in (None, item["organization"]):
            raise Refused(400, "Cannot change the organization of an execution environment", "organization")
        if endpoint == "inventories" and body.get("kind") and body["kind"] != item["kind"]:
            raise Refused(405, 'You cannot turn a regular inventory into a "smart" or "constructed" inventory.', "error")
        if endpoint in ("notification_templates", "schedules"):
            self._refuse_content(endpoint, {**item, **body})

    def _below(
        self, method: str, endpoint: str, item: Item, kind: str, query: dict[str, str], body: Item
    ) -> tuple[int, Optional[Item]]:
        if kind == "survey_spec":
            if method == "POST":
                self.surveys[endpoint, item["id"]] = body
            return 200, self.surveys.get((endpoint, item["id"]), {})
        if kind == "create_approval_template":
            approval = self.make("workflow_approval_templates", {
                field: body[field] for field in ("name", "description", "timeout") if field in body})
            item["unified_job_template"] = approval["id"]
            item["related"]["unified_job_template"] = approval["url"]
            return 201, approval
        if endpoint == "workflow_approval_templates":
            raise Refused(404, "what comes after an approval is told to its node")
        if kind == "update":
            item["summary_fields"] = {}
            return 202, self._fetch(item)
        linked = self.links.setdefault((endpoint, item["id"], kind), [])
        if method == "GET":
            return 200, self._page(f"{endpoint}/{item['id']}/{kind}", query, ({"id": number} for number in linked))
        if not any(body["id"] in items for items in self.items.values()):
            raise Refused(400, f"there is no {body['id']}")
        if body.get("disassociate"):
            linked.remove(body["id"])
        else:
            linked.append(body["id"])
        return 204, None

    def _list(self, endpoint: str, query: dict[str, str]) -> Item:
        unknown = {field for field in query if not set(field.split("__")) <= FILTERS}
        if unknown:
            raise Refused(400, f"no such field: {unknown}")
        endpoints = STARTABLE if endpoint == "unified_job_templates" else (endpoint,)
        found = [item for each in endpoints for item in self.items[each].values()
                 if all(str(self._field(item, field)) == value for field, value in query.items() if not field.startswith("page"))]
        return self._page(endpoint, query, (self._shown(item) for item in found))

    def _field(self, item: Item, path: str) -> Any:
        """Return a field, or one of what the item refers to: project__name."""
        first, _separator, rest = path.partition("__")
        if not rest:
            return item.get(first)
        related = self.items[REFERENCES[first][0]].get(item.get(first) or 0)
        return self._field(related, rest) if related else None

    def _page(self, path: str, query: dict[str, str], results: Iterable[Item]) -> Item:
        results, page, size = list(results), int(query.get("page", 1)), min(int(query.get("page_size", PAGE)), self.max_page_size)
        following = urllib.parse.urlencode({**query, "page": page + 1})
        more = f"{self.prefix}/v2/{path}/?{following}" if len(results) > page * size else None
        return {"count": len(results), "next": more, "previous": None, "results": results[(page - 1) * size:page * size]}

    def _shown(self, item: Item) -> Item:
        if item["type"] == "notification_template":
            shown = {name: ENCRYPTED if name in NOTIFICATION_SECRETS and value else value
                     for name, value in item["notification_configuration"].items()}
            return {**item, "notification_configuration": shown}
        if item["type"] != "credential":
            return item
        kind = self.items["credential_types"][item["credential_type"]]
        fields = kind["inputs"].get("fields", [])
        secret = {field["id"] for field in fields if field.get("secret")}
        # AWX's kind of a credential is the namespace of its type.
        inputs = {name: ENCRYPTED if name in secret else value for name, value in item["inputs"].items()}
        return {**item, "kind": kind.get("namespace"), "inputs": inputs}


def serve(controller: Controller) -> web.Server:
    return web.Server(("127.0.0.1", 0), controller)
