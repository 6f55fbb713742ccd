"""RabbitMQ: topology, publishing with confirms, consuming with a retry ladder, parking."""

from postroad_common.amqp.broker import Broker, declare_topology
from postroad_common.amqp.consumer import Consumer
from postroad_common.amqp.delivery import Delivery
from postroad_common.amqp.errors import (
    BrokerError,
    BrokerUnavailableError,
    Poison,
    PublishError,
    Retry,
    TopologyError,
    UnroutableError,
)
from postroad_common.amqp.topology import EXCHANGE, QUEUES, Queue
from postroad_common.amqp.wire import Parcel

__all__ = [
    "EXCHANGE",
    "QUEUES",
    "Broker",
    "BrokerError",
    "BrokerUnavailableError",
    "Consumer",
    "Delivery",
    "Parcel",
    "Poison",
    "PublishError",
    "Queue",
    "Retry",
    "TopologyError",
    "UnroutableError",
    "declare_topology",
]
