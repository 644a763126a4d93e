"""What the run has to know of the server: refusals are slowed by address, there is one host that it may enter, and a pool behind it."""

import json
import os
from itertools import count

import schemathesis

REQUESTS = count(1)
OF_A_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-")
# The pool, and who may enter it: {"port": …, "username": …, "password": …}.
POOL = json.loads(os.environ["AXON_POOL"])
ENTERS = {"username": POOL["username"], "password": POOL["password"]}


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def by_password(body):
    return body.get("authenticationType", "userPassword") == "userPassword" and "username" in body


@schemathesis.hook
def before_call(context, case, kwargs):
    # Each request comes from an address of its own, as from behind the proxy that the server trusts.
    number = next(REQUESTS)
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    # A host that the document allows becomes the one that this server may enter; another one stays what it is.
    body = case.body if isinstance(case.body, dict) else {}
    config = body.get("config") if isinstance(body.get("config"), dict) else {}
    host = config.get("host")
    if isinstance(host, str) and 0 < len(host) < 256 and OF_A_HOST.issuperset(host):
        config["host"] = "127.0.0.1"
    # Of what is valid two in three are about the pool that is there, and an integration that may be: the others find nothing.
    if not is_valid(case) or number % 3 == 0:
        return
    if case.path.startswith("/integrations/{id}"):
        case.path_parameters["id"] = str(number % 4 + 1)
    if config and by_password(config):
        config.update(ENTERS, host="127.0.0.1", port=POOL["port"], tls="off", database="dw")
    elif case.path.startswith("/integrations/{id}") and body and by_password(body):
        body.update(ENTERS)
