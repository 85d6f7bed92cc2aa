"""An Eclipse Paho client that does what it is told: a JSON object a line on its input, what happens as one on its output."""

import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions


def tell(event, **values):
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def encoded(packet_type, values):
    made = Properties(packet_type)
    for name, value in (values or {}).items():
        if name == "UserProperty":
            value = [tuple(pair) for pair in value]
        elif name == "CorrelationData":
            value = value.encode()
        setattr(made, name, value)
    return made


def decoded(received):
    """Properties as JSON, where there are any."""
    values = received.json() if received is not None else {}
    if "CorrelationData" in values:
        values["CorrelationData"] = bytes.fromhex(values["CorrelationData"]).decode()
    return values


class Client:
    def connect(self, port, id, version, clean, will=None, properties=None):
        five = version == 5
        self.client = mqtt.Client(id, protocol=version, **({} if five else {"clean_session": clean}))
        self.five = five
        self.client.on_connect = lambda client, data, flags, code, props=None: tell(
            "connected",
            reasonCode=code.value if five else code,
            sessionPresent=bool(flags["session present"]),
            properties=decoded(props),
        )
        self.client.on_subscribe = lambda client, data, mid, codes, props=None: tell(
            "subscribed", reasonCodes=[code.value if five else code for code in codes]
        )
        self.client.on_publish = lambda client, data, mid: tell("published", mid=mid)
        self.client.on_message = lambda client, data, message: tell(
            "message",
            topic=message.topic,
            payload=message.payload.decode(),
            qos=message.qos,
            retain=bool(message.retain),
            properties=decoded(getattr(message, "properties", None)),
        )
        if will is not None:
            self.client.will_set(will["topic"], will["payload"], will["qos"], will["retain"])
        self.client.reconnect_delay_set(1, 1)
        options = {"clean_start": clean, "properties": encoded(PacketTypes.CONNECT, properties)} if five else {}
        self.client.connect("127.0.0.1", port, **options)
        self.client.loop_start()

    def subscribe(self, filter, qos, noLocal=False, properties=None):
        if self.five:
            options = SubscribeOptions(qos=qos, noLocal=noLocal)
            self.client.subscribe(filter, options=options, properties=encoded(PacketTypes.SUBSCRIBE, properties))
        else:
            self.client.subscribe(filter, qos)

    def publish(self, topic, payload, qos, retain=False, properties=None):
        options = {"properties": encoded(PacketTypes.PUBLISH, properties)} if self.five else {}
        self.client.publish(topic, payload, qos, retain, **options)

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()
        tell("disconnected")


client = Client()
for line in sys.stdin:
    command = json.loads(line)
    getattr(client, command.pop("do"))(**command)
