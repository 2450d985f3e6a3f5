"""What schemathesis does for test_openapi.py besides what it does by itself.

A document cannot say which things there are, so that most generated ids and names would be unknown ones. Where a case is
meant to be valid, its ids and names become those that were seeded, in turn; and nobody's request ends the account or token
that the run is made with, since everything after it would be 401.
"""
import collections
import itertools
import json
import os
import re

import schemathesis
from schemathesis.core.parameters import ParameterLocation

# Written by test_openapi.py: {"known": {name or prefix: [values]}, "spared": [ids]}.
SEEDED = json.loads(os.environ["ROLLCALL_SEEDED"])
TALLY = os.environ["ROLLCALL_TALLY"]
ID = re.compile(r"^([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}$")
# Members of a body that name something; the schema has no more than their form.
NAMES = {"workspace", "username", "custodian", "integration", "approval", "profile", "mapping", "subject_token"}

turns = collections.defaultdict(itertools.count)
statuses = collections.defaultdict(collections.Counter)


def known(name, value):
    """A seeded value in place of a generated one, every other time; and never one that has to stay."""
    values = SEEDED["known"].get(name, [])
    turn = next(turns[name])
    return values[turn // 2 % len(values)] if values and turn % 2 else value


def known_id(value):
    form = ID.match(value) if isinstance(value, str) else None
    return known(form[1], value) if form else value


def with_known(value):
    if isinstance(value, list):
        return [with_known(item) for item in value]
    if isinstance(value, dict):
        return {name: known(name, item) if name in NAMES and isinstance(item, str) else with_known(item)
                for name, item in value.items()}
    return known_id(value)


@schemathesis.hook
def before_call(context, case, kwargs):
    meta = case.meta
    for name, value in (case.path_parameters or {}).items():
        if not meta.is_negative_at(ParameterLocation.PATH):
            value = known(name, value) if name in SEEDED["known"] else known_id(value)
        if value in SEEDED["spared"] and case.method != "GET":
            value = value[:4] + "0" * 26
        if value != case.path_parameters[name]:
            case.path_parameters[name] = value
    if meta.generation.mode.is_positive and isinstance(case.body, (dict, list)):
        body = with_known(case.body)
        if body != case.body:
            case.body = body


@schemathesis.hook
def after_call(context, case, response):
    statuses[f"{case.operation.method.upper()} {case.operation.path}"][str(response.status_code)] += 1
    with open(TALLY, "w") as file:
        json.dump(statuses, file)


@schemathesis.deserializer("application/octet-stream", "text/plain", "text/csv", "application/x-ndjson")
def as_bytes(context, response):
    return response.content.decode("latin-1")
