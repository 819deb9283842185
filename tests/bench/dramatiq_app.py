"""dramatiq on Redis, with one no-op task."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from tests.bench.redis_server import URL

broker = RedisBroker(url=os.environ[URL])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ[URL])))
dramatiq.set_broker(broker)


def _add(x: int, y: int) -> int:
    return x + y


add = dramatiq.actor(store_results=True, actor_name="add")(_add)
