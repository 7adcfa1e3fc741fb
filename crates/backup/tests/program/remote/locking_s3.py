"""An S3 server on loopback with versions and object lock, which refuses what S3 refuses.

Written from the public description of S3: signatures (version 4), conditional writes, versions, delete markers, retention modes,
and the permission that each request needs. It keeps everything in memory. Its argument is JSON: for each access key its secret
and the permissions that it does not have. Prints its URL as JSON; ends with its stdin.

For the tests alone: a request with the header x-test-owner needs no signature and may do anything.
"""

import base64
import datetime
import email.utils
import hashlib
import hmac
import http.server
import itertools
import json
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as xml
from xml.sax.saxutils import escape

# Less than S3 has, so that every listing has several.
PAGE = 3

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def iso(instant):
    return instant.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


class Version:
    def __init__(self, key, number, content, is_versioned):
        self.key, self.content = key, content
        self.id = f"v{number:08}" if is_versioned else "null"
        # S3 keeps whole seconds.
        self.modified = now().replace(microsecond=0)
        self.etag = '"' + hashlib.md5(content or b"").hexdigest() + '"'
        self.mode = self.until = None

    def locked(self):
        return self.until is not None and self.until > now()


class Bucket:
    def __init__(self, versioning, lock):
        self.versioning, self.lock, self.default = versioning, lock, None
        # Not as S3: takes locks, and has none.
        self.forgets = False
        # Each key's, newest first.
        self.versions = {}

    def current(self, key):
        versions = self.versions.get(key, [])
        return versions[0] if versions and versions[0].content is not None else None

    def find(self, key, version_id):
        if version_id is None:
            found = self.current(key)
        else:
            found = next((version for version in self.versions.get(key, []) if version.id == version_id), None)
        if found is None:
            raise Refused(404, "NoSuchVersion" if version_id else "NoSuchKey")
        if found.content is None:
            raise Refused(405, "MethodNotAllowed")
        return found


BUCKETS, NUMBERS, GUARD = {}, itertools.count(1), threading.RLock()
IDENTITIES = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.handle_one()

    do_HEAD = do_PUT = do_DELETE = do_POST = do_GET

    def handle_one(self):
        self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        self.raw_path, self.raw_query = parts.path, parts.query
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        bucket, _, self.key = urllib.parse.unquote(parts.path[1:]).partition("/")
        try:
            with GUARD:
                self.identity = self.authenticate()
                self.answer(*self.dispatch(bucket))
        except Refused as refused:
            body = f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>"
            self.answer(refused.status, body)

    def answer(self, status, body="", headers=()):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response_only(status)
        self.send_header("date", email.utils.formatdate(usegmt=True))
        self.send_header("content-length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def authenticate(self):
        if self.headers.get("x-test-owner"):
            return {"deny": []}
        authorization = self.headers.get("authorization", "")
        if not authorization.startswith("AWS4-HMAC-SHA256 "):
            raise Refused(403, "AccessDenied", "no signature")
        given = dict(part.strip().split("=", 1) for part in authorization.split(" ", 1)[1].split(","))
        key, day, region, service, end = given["Credential"].split("/")
        identity = IDENTITIES.get(key)
        if identity is None:
            raise Refused(403, "InvalidAccessKeyId")
        signed = given["SignedHeaders"].split(";")
        unsigned = [name for name in self.headers if name.lower().startswith("x-amz-") and name.lower() not in signed]
        if unsigned or "host" not in signed:
            raise Refused(403, "AccessDenied", f"headers that are not signed: {unsigned}")
        sent = datetime.datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs(sent.replace(tzinfo=datetime.timezone.utc) - now()) > datetime.timedelta(minutes=15):
            raise Refused(403, "RequestTimeTooSkewed")
        digest = self.headers["x-amz-content-sha256"]
        if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(self.body).hexdigest()):
            raise Refused(400, "XAmzContentSHA256Mismatch")
        query = sorted(
            f"{urllib.parse.quote(name, safe='-_.~')}={urllib.parse.quote(value, safe='-_.~')}"
            for name, value in urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True)
        )
        headers = "".join(f"{name}:{' '.join(self.headers[name].split())}\n" for name in signed)
        request = [self.command, self.raw_path, "&".join(query), headers, given["SignedHeaders"], digest]
        request = hashlib.sha256("\n".join(request).encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.headers['x-amz-date']}\n{day}/{region}/{service}/{end}\n{request}"
        secret = ("AWS4" + identity["secret"]).encode()
        for part in (day, region, service, end, text):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(secret.hex(), given["Signature"]):
            raise Refused(403, "SignatureDoesNotMatch")
        return identity

    def need(self, permission):
        if permission in self.identity["deny"]:
            raise Refused(403, "AccessDenied", f"not authorized to perform: {permission}")

    def may(self, permission):
        return permission not in self.identity["deny"]

    def dispatch(self, name):
        if not self.key and self.command == "PUT" and not self.query:
            self.need("s3:CreateBucket")
            lock = self.headers.get("x-amz-bucket-object-lock-enabled") == "true"
            BUCKETS[name] = Bucket("Enabled" if lock else "", lock)
            BUCKETS[name].forgets = self.headers.get("x-test-forgets") is not None
            return (200,)
        if name not in BUCKETS:
            raise Refused(404, "NoSuchBucket")
        self.bucket = BUCKETS[name]
        if not self.key:
            return self.of_bucket()
        if "retention" in self.query:
            return self.write_retention() if self.command == "PUT" else self.read_retention()
        return {"PUT": self.write, "GET": self.read, "HEAD": self.read, "DELETE": self.delete}[self.command]()

    def of_bucket(self):
        if "versioning" in self.query and self.command == "PUT":
            self.need("s3:PutBucketVersioning")
            status = self.element("Status")
            if self.bucket.lock and status != "Enabled":
                raise Refused(409, "InvalidBucketState", "object lock is on")
            self.bucket.versioning = status
            return (200,)
        if "versioning" in self.query:
            self.need("s3:GetBucketVersioning")
            status = f"<Status>{self.bucket.versioning}</Status>" if self.bucket.versioning else ""
            return 200, f'<VersioningConfiguration xmlns="{XMLNS}">{status}</VersioningConfiguration>'
        if "object-lock" in self.query and self.command == "PUT":
            self.need("s3:PutBucketObjectLockConfiguration")
            self.bucket.lock = True
            self.bucket.default = (self.element("Mode"), int(self.element("Days")))
            return (200,)
        if "object-lock" in self.query:
            self.need("s3:GetBucketObjectLockConfiguration")
            if not self.bucket.lock:
                raise Refused(404, "ObjectLockConfigurationNotFoundError")
            rule = ""
            if self.bucket.default:
                mode, days = self.bucket.default
                retention = f"<DefaultRetention><Mode>{mode}</Mode><Days>{days}</Days></DefaultRetention>"
                rule = f"<Rule>{retention}</Rule>"
            enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
            return 200, f'<ObjectLockConfiguration xmlns="{XMLNS}">{enabled}{rule}</ObjectLockConfiguration>'
        if "versions" in self.query:
            return self.list_versions()
        if "delete" in self.query:
            return self.delete_several()
        return self.list()

    def element(self, name):
        found = xml.fromstring(self.body).iter()
        return next((element.text for element in found if element.tag.rpartition("}")[2] == name), None)

    def write(self):
        self.need("s3:PutObject")
        current = self.bucket.current(self.key)
        if self.headers.get("if-none-match") == "*" and current is not None:
            raise Refused(412, "PreconditionFailed")
        match = self.headers.get("if-match")
        if match and (current is None or current.etag != match):
            raise Refused(412 if current else 404, "PreconditionFailed" if current else "NoSuchKey")
        is_checked = self.check_checksums()
        mode, until = self.headers.get("x-amz-object-lock-mode"), self.headers.get("x-amz-object-lock-retain-until-date")
        version = Version(self.key, next(NUMBERS), self.body, self.bucket.versioning == "Enabled")
        if mode or until:
            self.need("s3:PutObjectRetention")
            if not self.bucket.lock:
                raise Refused(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
            version.mode, version.until = self.retention(mode, until)
        elif self.bucket.default:
            version.mode, days = self.bucket.default
            version.until = now() + datetime.timedelta(days=days)
        if version.mode and not is_checked:
            raise Refused(400, "InvalidRequest", "Content-MD5 or x-amz-checksum- is required with object lock")
        if self.bucket.forgets:
            version.mode = version.until = None
        kept = self.bucket.versions.get(self.key, [])
        self.bucket.versions[self.key] = [version] + [other for other in kept if other.id != version.id]
        return 200, "", [("etag", version.etag), ("x-amz-version-id", version.id)]

    def check_checksums(self):
        """Whether there is one; one that is wrong is refused."""
        digests = {"content-md5": hashlib.md5, "x-amz-checksum-sha256": hashlib.sha256}
        given = [(self.headers[name], digest) for name, digest in digests.items() if self.headers.get(name)]
        for value, digest in given:
            if base64.b64decode(value) != digest(self.body).digest():
                raise Refused(400, "BadDigest")
        return bool(given)

    def retention(self, mode, until):
        if mode not in ("GOVERNANCE", "COMPLIANCE") or not until:
            raise Refused(400, "InvalidArgument", "mode and date of a retention belong together")
        until = instant(until)
        if until <= now():
            raise Refused(400, "InvalidArgument", "The retain until date must be in the future!")
        return mode, until

    def read(self):
        self.need("s3:GetObjectVersion" if "versionId" in self.query else "s3:GetObject")
        found = self.bucket.find(self.key, self.query.get("versionId"))
        modified = email.utils.format_datetime(found.modified, usegmt=True)
        headers = [("etag", found.etag), ("last-modified", modified), ("x-amz-version-id", found.id)]
        return 200, found.content, headers

    def read_retention(self):
        self.need("s3:GetObjectRetention")
        if not self.bucket.lock:
            raise Refused(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
        found = self.bucket.find(self.key, self.query.get("versionId"))
        if not found.mode:
            raise Refused(404, "NoSuchObjectLockConfiguration")
        until = iso(found.until)
        return 200, f"<Retention><Mode>{found.mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"

    def write_retention(self):
        self.need("s3:PutObjectRetention")
        if not self.check_checksums():
            raise Refused(400, "InvalidRequest", "Missing required header for this request: Content-MD5")
        if not self.bucket.lock:
            raise Refused(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
        found = self.bucket.find(self.key, self.query.get("versionId"))
        mode, until = self.element("Mode"), self.element("RetainUntilDate")
        mode, until = self.retention(mode, until) if mode or until else (None, None)
        is_weaker = until is None or until < found.until or mode != found.mode if found.locked() else False
        is_raised = is_weaker and until and until >= found.until and (found.mode, mode) == ("GOVERNANCE", "COMPLIANCE")
        if is_weaker and not is_raised and not self.bypasses(found):
            raise Refused(403, "AccessDenied", "object protected by object lock")
        if not self.bucket.forgets:
            found.mode, found.until = mode, until
        return (200,)

    def bypasses(self, version):
        asked = self.headers.get("x-amz-bypass-governance-retention") == "true"
        if asked:
            self.need("s3:BypassGovernanceRetention")
        return asked and version.mode == "GOVERNANCE"

    def delete(self):
        headers = self.delete_one(self.key, self.query.get("versionId"))
        return 204, "", headers

    def delete_one(self, key, version_id):
        versions = self.bucket.versions.get(key, [])
        if version_id is None:
            self.need("s3:DeleteObject")
            if self.bucket.versioning != "Enabled":
                self.bucket.versions.pop(key, None)
                return []
            marker = Version(key, next(NUMBERS), None, True)
            self.bucket.versions[key] = [marker] + versions
            return [("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.id)]
        self.need("s3:DeleteObjectVersion")
        for version in versions:
            if version.id == version_id and version.locked() and not self.bypasses(version):
                raise Refused(403, "AccessDenied", "object protected by object lock")
        self.bucket.versions[key] = [version for version in versions if version.id != version_id]
        return [("x-amz-version-id", version_id)]

    def delete_several(self):
        answer = ""
        for object in xml.fromstring(self.body):
            if object.tag.rpartition("}")[2] != "Object":
                continue
            fields = {field.tag.rpartition("}")[2]: field.text for field in object}
            key = fields["Key"]
            try:
                self.delete_one(key, fields.get("VersionId"))
                answer += f"<Deleted><Key>{escape(key)}</Key></Deleted>"
            except Refused as refused:
                said = f"<Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
                answer += f"<Error><Key>{escape(key)}</Key>{said}</Error>"
        return 200, f'<DeleteResult xmlns="{XMLNS}">{answer}</DeleteResult>'

    def list(self):
        self.need("s3:ListBucket")
        prefix, after = self.query.get("prefix", ""), self.query.get("continuation-token") or self.query.get("start-after", "")
        keys = sorted(key for key in self.bucket.versions if self.bucket.current(key) and key.startswith(prefix))
        rest = [key for key in keys if key > after]
        page, is_truncated = rest[:PAGE], len(rest) > PAGE
        contents = ""
        for key in page:
            found = self.bucket.current(key)
            facts = f"<LastModified>{iso(found.modified)}</LastModified><ETag>{escape(found.etag)}</ETag>"
            contents += f"<Contents><Key>{escape(key)}</Key>{facts}<Size>{len(found.content)}</Size></Contents>"
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if is_truncated else ""
        head = f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>{token}"
        return 200, f'<ListBucketResult xmlns="{XMLNS}">{head}{contents}</ListBucketResult>'

    def list_versions(self):
        self.need("s3:ListBucketVersions")
        prefix, after = self.query.get("prefix", ""), self.query.get("key-marker", "")
        versions = [
            version
            for key in sorted(self.bucket.versions)
            if key.startswith(prefix)
            for version in self.bucket.versions[key]
        ]
        marker = (after, self.query.get("version-id-marker"))
        places = [place for place, version in enumerate(versions) if (version.key, version.id) == marker]
        begin = places[0] + 1 if places else next(
            (place for place, version in enumerate(versions) if version.key > after), len(versions)
        )
        page, is_truncated = versions[begin : begin + PAGE], len(versions) > begin + PAGE
        answer = f"<Name>bucket</Name><IsTruncated>{str(is_truncated).lower()}</IsTruncated>"
        if is_truncated:
            answer += f"<NextKeyMarker>{escape(page[-1].key)}</NextKeyMarker>"
            answer += f"<NextVersionIdMarker>{page[-1].id}</NextVersionIdMarker>"
        for version in page:
            facts = f"<Key>{escape(version.key)}</Key><VersionId>{version.id}</VersionId>"
            latest = str(version is self.bucket.versions[version.key][0]).lower()
            facts += f"<IsLatest>{latest}</IsLatest><LastModified>{iso(version.modified)}</LastModified>"
            owner = "<Owner><ID>owner</ID></Owner>"
            if version.content is None:
                answer += f"<DeleteMarker>{facts}{owner}</DeleteMarker>"
            else:
                size = f"<ETag>{escape(version.etag)}</ETag><Size>{len(version.content)}</Size>"
                answer += f"<Version>{facts}{size}<StorageClass>STANDARD</StorageClass>{owner}</Version>"
        return 200, f'<ListVersionsResult xmlns="{XMLNS}">{answer}</ListVersionsResult>'


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"http": f"http://127.0.0.1:{server.server_port}"}), flush=True)
sys.stdin.read()
