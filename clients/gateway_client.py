#!/usr/bin/env python3
"""Uses the gateway API with nothing but Python's standard library.

    gateway_client.py http://127.0.0.1:8441 [mqtt-host [mqtt-port]]

Adds a broker, connects, subscribes, listens on a WebSocket, publishes, reads the history and tidies up. A token, where
the gateway asks for one, is taken from the environment variable GATEWAY_TOKEN.
"""

import base64
import json
import os
import socket
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request


class Gateway:
    """The calls of the API; what is refused is an error with the gateway's own words."""

    def __init__(self, url, token=None):
        self.url = url.rstrip("/")
        self.token = token

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            fault = json.load(error)["error"]
            raise RuntimeError(f"{method} {path}: {fault['message']}") from None
        return json.loads(text) if text else None

    def listen(self, broker_id, topic):
        """A WebSocket of live messages; its ticket is good for one connection."""
        ticket = self.call("POST", "/ws/tickets", {"broker_id": broker_id, "topic": topic})
        return LiveMessages(urllib.parse.urljoin(self.url, ticket["url"]))


class LiveMessages:
    """The reading end of a WebSocket (RFC 6455), as far as it takes to read what the gateway sends."""

    TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

    def __init__(self, url):
        place = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((place.hostname, place.port or 80), timeout=40)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {place.path}?{place.query} HTTP/1.1\r\n"
            f"Host: {place.netloc}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = self.stream.readline().decode()
        if " 101 " not in status:
            raise RuntimeError(f"no WebSocket: {status.strip()}")
        while self.stream.readline().strip():
            pass

    def __iter__(self):
        while True:
            kind, data = self._frame()
            if kind == self.TEXT:
                yield json.loads(data)
            elif kind == self.PING:
                self._send(self.PONG, data)
            elif kind == self.CLOSE:
                return

    def close(self):
        self._send(self.CLOSE, struct.pack(">H", 1000))
        self.socket.close()

    def _frame(self):
        first, length = self._read(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read(8))
        return first & 0x0F, self._read(length)

    def _read(self, count):
        data = self.stream.read(count)
        if len(data) < count:
            raise RuntimeError("the gateway has ended the connection")
        return data

    def _send(self, kind, data):
        # What a client sends is masked.
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self.socket.sendall(bytes((0x80 | kind, 0x80 | len(data))) + mask + masked)


def main(url, host="127.0.0.1", port="1883"):
    gateway = Gateway(url, os.environ.get("GATEWAY_TOKEN"))
    print("gateway:", gateway.call("GET", "/health")["status"])

    broker = gateway.call("POST", "/brokers", {"name": "example", "host": host, "port": int(port)})
    broker_id = broker["broker_id"]
    try:
        broker = gateway.call("POST", f"/brokers/{broker_id}/connect")
        print("broker:", broker["state"], broker.get("reason", ""))

        wanted = {"broker_id": broker_id, "topic": "example/+", "qos": 1}
        print("subscription:", gateway.call("POST", "/subscribe", wanted)["state"])

        live = gateway.listen(broker_id, "example/+")
        for event in live:
            if event["type"] == "subscribed":
                message = {"temperature": 21.5}
                wanted = {"broker_id": broker_id, "topic": "example/room", "payload": message, "qos": 1}
                gateway.call("POST", "/publish", wanted)
            elif event["type"] == "message":
                print("live:", event["topic"], json.dumps(event["payload"]))
                break
        live.close()

        topic = urllib.parse.quote("example/#", safe="")
        for message in gateway.call("GET", f"/messages?topic={topic}&limit=10")["messages"]:
            print("history:", message["topic"], json.dumps(message["payload"]))
    finally:
        gateway.call("DELETE", f"/brokers/{broker_id}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
