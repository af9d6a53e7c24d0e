"""mosquitto and Kafka on loopback for one data folder: `with Stack(folder) as stack: …`."""

from deploy.local.stack import Stack

__all__ = ["Stack"]
