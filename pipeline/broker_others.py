"""Dramatiq's own brokers for RabbitMQ and Redis, set up for our queues. Only file with pika and redis.

Owner: whoever made one with `pipeline.broker.broker_for`: a worker process, or the server's `Relay`, which only puts.
Units: milliseconds where Dramatiq has them, seconds in addresses.

Messages stay with the broker until their actor has returned. RabbitMQ gives a dead worker's message to another one at
once, since it sees the connection end. Redis knows workers by their heartbeats; `redis://host/0?heartbeat_s=30` sets
how long one may be silent. Either may deliver a message twice: the server keeps the book (`server/jobs/ledger.py`).
"""

import logging
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dramatiq.broker import Broker
from dramatiq.middleware import Middleware

from pipeline.errors import PermanentFailure

NAMESPACE: Final = "alchemy"
"""What our keys in Redis begin with."""

HEARTBEAT_S: Final = 15.0
"""How long a Redis worker may be silent before what it had goes to another one."""

_MAINTENANCE: Final = 200_000
"""Commands of a million after which Redis looks for silent workers: about every second for each worker."""


class BrokerUnsupported(PermanentFailure):
    """This message broker is not supported; leave ALCHEMY_BROKER empty to use the database."""

    code = "broker_unsupported"


def rabbitmq(url: str, middleware: list[Middleware]) -> Broker:
    """Return a broker on RabbitMQ; what was put is on its disk. Connects on first use. Raises BrokerUnsupported."""
    try:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker
    except ImportError as error:
        raise BrokerUnsupported(
            "RabbitMQ needs a package that is not installed: pip install 'sound-forge-alchemy[rabbitmq]'."
        ) from error
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # Dramatiq says itself when a connection is lost
    try:
        return RabbitmqBroker(url=url, middleware=middleware, confirm_delivery=True)
    except Exception as error:
        raise BrokerUnsupported(f"ALCHEMY_BROKER is no address of RabbitMQ: {error}") from error


def redis(url: str, middleware: list[Middleware]) -> Broker:
    """Return a broker on Redis. Connects on first use. Raises BrokerUnsupported."""
    try:
        from dramatiq.brokers.redis import RedisBroker
    except ImportError as error:
        raise BrokerUnsupported(
            "Redis needs a package that is not installed: pip install 'sound-forge-alchemy[redis]'."
        ) from error
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    try:
        heartbeat_s = float(options.pop("heartbeat_s", HEARTBEAT_S))
        if not 1 <= heartbeat_s <= 3600:
            raise ValueError("heartbeat_s is 1 to 3600")
        return RedisBroker(  # type: ignore[no-untyped-call]  # Dramatiq's
            url=urlunsplit(parts._replace(query=urlencode(options))), middleware=middleware, namespace=NAMESPACE,
            heartbeat_timeout=int(heartbeat_s * 1000), maintenance_chance=_MAINTENANCE,
        )  # fmt: skip
    except Exception as error:
        raise BrokerUnsupported(f"ALCHEMY_BROKER is no address of Redis: {error}") from error


def life(broker: Broker) -> str:
    """Return a word that changes when the broker may have forgotten what it was given (a Redis that began anew).

    RabbitMQ keeps it on its disk. Raises what the broker's client raises when it is out of reach.
    """
    client = getattr(broker, "client", None)
    return "" if client is None else str(client.info("server")["run_id"])
