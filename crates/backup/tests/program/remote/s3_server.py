"""An S3 server on loopback, plain and with TLS. Prints its URLs and its certificate as JSON; ends with its stdin."""

import datetime
import ipaddress
import json
import sys
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


def certify(directory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(addresses, critical=False).sign(key, hashes.SHA256())
    paths = directory + "/certificate.pem", directory + "/key.pem"
    with open(paths[0], "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(paths[1], "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return paths


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *arguments):
        pass


with tempfile.TemporaryDirectory() as directory:
    application = DomainDispatcherApplication(create_backend_app)
    paths = certify(directory)
    servers = [
        make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler, ssl_context=context)
        for context in (None, paths)
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = [server.server_port for server in servers]
    http, https = f"http://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[1]}"
    print(json.dumps({"http": http, "https": https, "certificate": paths[0]}), flush=True)
    sys.stdin.read()
