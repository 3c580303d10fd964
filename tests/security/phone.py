"""A phone as a test plays it: what the QR code told it, and the certificate by its fingerprint."""

import hashlib
import http.client
import json
import secrets
import ssl

from security.conftest import sealed

from assistant.core.pairing import check_characters


class Phone:
    """What a phone knows: the QR code. Trusts the certificate by its fingerprint, then the authority."""

    def __init__(self, opened):
        self.opened = opened
        self.host = opened["network"]["addresses"][0]
        self.nonce = secrets.token_urlsafe(16)
        self.authority = ""
        self.token = ""

    def context(self):
        if self.authority:
            return ssl.create_default_context(cadata=self.authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def ask(self, method, path, body=None, headers=None):
        address, _, port = self.host.rpartition(":")
        context = self.context()
        connection = http.client.HTTPSConnection(
            address.strip("[]"), int(port), context=context, timeout=30
        )
        try:
            connection.connect()
            seen = hashlib.sha256(connection.sock.getpeercert(True)).hexdigest()
            assert seen == self.opened["network"]["fingerprint"]
            sent = {"Host": self.host} | (headers or {})
            if self.token:
                sent.setdefault("Authorization", f"Bearer {self.token}")
            if body is not None:
                sent["Content-Type"] = "application/json"
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            response = connection.getresponse()
            sealed(response.headers)
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def claim(self, proof=None):
        body = {"proof": proof or self.opened["secret"], "nonce": self.nonce, "name": "Ana's phone"}
        return self.ask("POST", "/api/v1/pair/claim", body)


def paired(daemon, **grant):
    phone = Phone(daemon.api.post("/api/v1/pair", json=grant).json())
    status, first = phone.claim()
    assert (status, first["state"]) == (202, "waiting")
    seen = daemon.api.get("/api/v1/pair").json()
    assert (seen["state"], seen["check"]) == ("claimed", first["check"])
    daemon.api.post("/api/v1/pair/accept", json={"check": seen["check"]}).raise_for_status()
    status, answer = phone.claim()
    assert status == 200
    network = phone.opened["network"]
    assert seen["check"] == answer["check"]
    assert answer["check"] == check_characters(
        network["fingerprint"], answer["salt"], phone.nonce, "Ana's phone"
    )
    phone.token, phone.authority = answer["token"], answer["authority"]
    return phone, answer["device"]
