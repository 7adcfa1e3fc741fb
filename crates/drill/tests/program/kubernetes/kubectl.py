"""A stand-in for kubectl and for the cluster behind it, that runs the system for real.

The pod of the service is a process `app`, a Job is a process `backup` or `drill`, a volume is a directory, as is the store
off the cluster, and the node port is the port of the service. Objects are kept in cluster/state.json beside the directory of this file; cluster/changes
has a line for each call that changes something. What cluster/told.json says goes wrong:

    fail        numbers of changes that are refused, and have no effect
    fail_from   the same for this one and all that follow
    lose        numbers of changes that take effect, and are answered with an error
    hang        numbers of changes that take effect, and are never answered; cluster/hanging is then there
    away        [number, seconds]: from this change on, nobody reaches the API server for so long
    pending     {part of a pod's name: why it cannot be scheduled}
    waiting     {part of a pod's name: why its container cannot be created}
    secret      {variable: value}, as the Secret `offsite` has them
    no_restore  pods of the service start without their init container

Drills call it thousands of times in these tests, and half of such a call would be spent on importing `json`, `re` and
`signal`: it does without.
"""

import fcntl
import os
import sys
import time

HOME = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cluster")
CONTEXT, NAMESPACE = "stand-in", "pra"
SERVICE_LABELS = {"app.kubernetes.io/name": "app", "app.kubernetes.io/component": "web"}
SINGULAR = {"pods": "pod", "jobs": "job", "nodes": "node"}
WITH_VALUE = ("--selector", "--patch")
REVISION = "deployment.kubernetes.io/revision"
SIGKILL, SIGTERM = 9, 15


class Refused(Exception):
    """What the API server says no to, with its message."""


def from_json(text):
    """The test and the drill write it, and all that they write is Python but for these three words."""
    return eval(text, {"null": None, "true": True, "false": False})


def to_json(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_json(key)}:{to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(to_json, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))


def read_json(name, default=None):
    try:
        with open(os.path.join(HOME, name), encoding="utf-8") as file:
            return from_json(file.read())
    except FileNotFoundError:
        return default


def write_json(name, value):
    path = os.path.join(HOME, name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(to_json(value))
    os.rename(path + ".new", path)


class Cluster:
    """The state, locked. Leaving it does what the controllers of a cluster do."""

    def __enter__(self):
        self.lock = os.open(os.path.join(HOME, "lock"), os.O_RDWR | os.O_CREAT)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.state = read_json("state.json")
        self.told = read_json("told.json", {})
        return self

    def __exit__(self, *_):
        starting = self.reconcile()
        write_json("state.json", self.state)
        fcntl.flock(self.lock, fcntl.LOCK_UN)
        os.close(self.lock)
        for name in starting:
            detached(kubelet, name)

    def all(self, kind):
        return self.state["objects"].setdefault(kind, {})

    def find(self, kind, name):
        return self.all(kind).get(name)

    def must_find(self, kind, name):
        if name not in self.all(kind):
            raise Refused(f'Error from server (NotFound): {kind} "{name}" not found')
        return self.all(kind)[name]

    def add(self, kind, body):
        metadata = body["metadata"]
        if metadata["name"] in self.all(kind):
            raise Refused(f'Error from server (AlreadyExists): {kind} "{metadata["name"]}" already exists')
        self.state["uids"] += 1
        for field in [field for field, value in metadata.items() if value is None]:
            del metadata[field]
        metadata.update(uid=f"uid-{self.state['uids']}", namespace=NAMESPACE, generation=1)
        if kind == "persistentvolumeclaim":
            body["status"] = {"phase": "Pending"}
        self.all(kind)[metadata["name"]] = body
        if kind == "job":
            template = body["spec"]["template"]
            self.add_pod(metadata["name"], template["metadata"]["labels"], template["spec"])

    def add_pod(self, owner, labels, spec):
        name = f"{owner}-{self.state['uids']}"
        spec = {**spec, "nodeName": "node-0"}
        if self.told.get("no_restore"):
            spec.pop("initContainers", None)
        metadata = {"name": name, "labels": labels}
        revision = self.find("deployment", "app")["metadata"]["annotations"][REVISION]
        self.add("pod", {"owner": owner, "revision": revision, "metadata": metadata, "spec": spec, "status": {}})

    def pods_of(self, owner):
        return [pod for pod in self.all("pod").values() if pod["owner"] == owner]

    def pods_of_others(self, revision):
        """Pods of another revision, which have to be gone first: here, unlike on a cluster, two cannot have the port."""
        return [pod for pod in self.pods_of("app") if pod["revision"] != revision]

    def end_pod(self, pod, force=False):
        process = pod.get("process")
        if force or process is None:
            del self.all("pod")[pod["metadata"]["name"]]
        else:
            pod["metadata"]["deletionTimestamp"] = "now"
        try:
            if process is not None:
                os.kill(process, SIGKILL if force else SIGTERM)
        except ProcessLookupError:
            pass  # It has just ended by itself.

    def delete(self, kind, name, force):
        body = self.must_find(kind, name)
        if kind == "pod":
            self.end_pod(body, force)
        elif kind == "persistentvolumeclaim":
            # Gone once no pod names it any more, not even one that is complete.
            body["metadata"]["deletionTimestamp"] = "now"
        else:
            for pod in self.pods_of(name):
                self.end_pod(pod)
            del self.all(kind)[name]

    def reconcile(self):
        """Gives the pods that are to be started."""
        deployment = self.find("deployment", "app")
        if deployment is None or self.find("cronjob", "sqlite-backup") is None:
            return []
        self.tick()
        pods = [pod for pod in self.pods_of("app") if "deletionTimestamp" not in pod["metadata"]]
        revision = deployment["metadata"]["annotations"][REVISION]
        wanted = [pod for pod in pods if pod["revision"] == revision][: deployment["spec"]["replicas"]]
        for pod in pods:
            if pod not in wanted:
                self.end_pod(pod)
        if len(wanted) < deployment["spec"]["replicas"] and not self.pods_of_others(revision):
            self.add_pod("app", SERVICE_LABELS, deployment["spec"]["template"]["spec"])
        for claim in list(self.all("persistentvolumeclaim").values()):
            name = claim["metadata"]["name"]
            if "deletionTimestamp" in claim["metadata"] and not any(name in claims(p) for p in self.all("pod").values()):
                remove_directory(volume(claim))
                del self.all("persistentvolumeclaim")[name]
        starting = []
        for name, pod in self.all("pod").items():
            if not pod.get("started") and self.can_start(name, pod):
                pod["started"] = True
                starting.append(name)
            if pod.get("process") and '"listening"' in log_of(name, "app"):
                pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        ready = [pod for pod in self.pods_of("app") if pod["status"].get("conditions") and pod.get("process")]
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            "availableReplicas": len([pod for pod in ready if "deletionTimestamp" not in pod["metadata"]]),
        }
        return starting

    def tick(self):
        """The CronJob, each second while someone looks: forbids two at a time, keeps one that is complete."""
        cron_job = self.find("cronjob", "sqlite-backup")["spec"]
        jobs = [job for name, job in self.all("job").items() if name.startswith("sqlite-backup-")]
        due = time.time() >= self.state.get("ticked", 0) + 1
        if due and not cron_job["suspend"] and all(job.get("status") for job in jobs):
            for job in jobs:
                self.delete("job", job["metadata"]["name"], force=False)
            self.state["ticked"] = time.time()
            self.add_job(f"sqlite-backup-{self.state['uids']}", "sqlite-backup")

    def add_job(self, name, cron_job):
        cron_job = self.must_find("cronjob", cron_job)
        job = from_json(to_json(cron_job["spec"]["jobTemplate"]))
        self.add("job", {"kind": "Job", "metadata": {"name": name}, "spec": job["spec"]})

    def can_start(self, name, pod):
        if self.state.get("cordoned"):
            affinity = "2 node(s) didn't match PersistentVolume's node affinity"
            return unscheduled(pod, f"0/3 nodes are available: 1 node(s) were unschedulable, {affinity}")
        for part, why in self.told.get("pending", {}).items():
            if part in name:
                return unscheduled(pod, why)
        mounted = [(claim, self.find("persistentvolumeclaim", claim)) for claim in claims(pod)]
        for wanted, claim in mounted:
            if claim is None or "deletionTimestamp" in claim["metadata"]:
                what = "not found" if claim is None else "is being deleted"
                return unscheduled(pod, f'persistentvolumeclaim "{wanted}" {what}')
        for _, claim in mounted:
            # A volume is provisioned for its first consumer.
            claim["status"]["phase"] = "Bound"
            claim["spec"]["volumeName"] = "pvc-" + claim["metadata"]["uid"]
            os.makedirs(volume(claim), exist_ok=True)
        for part, reason in self.told.get("waiting", {}).items():
            if part in name:
                waiting = {"name": "main", "state": {"waiting": {"reason": reason, "message": "told to wait"}}}
                pod["status"] = {"phase": "Pending", "containerStatuses": [waiting]}
                return False
        pod["status"] = {"phase": "Pending"}
        return True


def unscheduled(pod, why):
    condition = {"type": "PodScheduled", "status": "False", "message": why}
    pod["status"] = {"phase": "Pending", "conditions": [condition]}
    return False


def claims(pod):
    wanted = [volume.get("persistentVolumeClaim") for volume in pod["spec"]["volumes"]]
    return [claim["claimName"] for claim in wanted if claim]


def scratch(pod):
    """Directories that go with their pod, by the claims that they stand for."""
    directories = {}
    for volume in pod["spec"]["volumes"]:
        if "emptyDir" in volume:
            name = volume["name"]
            directories[name] = os.path.join(HOME, "volumes", pod["metadata"]["uid"] + name)
            os.makedirs(directories[name], exist_ok=True)
    return directories


def volume(claim):
    return os.path.join(HOME, "volumes", claim["metadata"]["uid"])


def remove_directory(path):
    if os.path.isdir(path):
        for entry in os.listdir(path):
            os.unlink(os.path.join(path, entry))
        os.rmdir(path)


def log_path(pod, container):
    return os.path.join(HOME, "logs", f"{pod}.{container}")


def log_of(pod, container):
    try:
        with open(log_path(pod, container), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def detached(function, *arguments):
    """Runs a function in a process that outlives this one and holds none of its pipes."""
    if os.fork() == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        function(*arguments)
        os._exit(0)


def kubelet(name):
    """Runs the containers of a pod: init containers until they succeed, the service for ever, a Job's once."""
    with Cluster() as cluster:
        pod = cluster.find("pod", name)
    spec = pod["spec"] if pod else {}
    for container in spec.get("initContainers", []):
        while (code := run(name, container)) != 0:
            if code is None:
                return
            if pod["owner"] != "app":
                return ended(name, code)
            time.sleep(0.2)
    while (code := run(name, spec["containers"][0])) is not None:
        if pod["owner"] != "app":
            break
        time.sleep(0.1)
    ended(name, code)


def ended(name, code):
    """The pod of a Job has ended."""
    with Cluster() as cluster:
        pod = cluster.find("pod", name)
        if code is not None and pod is not None:
            cluster.find("pod", name)["status"] = {"phase": "Failed" if code else "Succeeded"}
            cluster.find("job", pod["owner"])["status"] = {"failed" if code else "succeeded": 1}


def run(name, container):
    """Runs a container to its end and gives its exit code, or None once its pod is deleted."""
    while read_json("state.json").get("stopped"):
        time.sleep(0.05)
    with Cluster() as cluster:
        pod = cluster.find("pod", name)
        if pod is None:
            return None
        argv, environment = command(cluster, pod, container)
        log = os.open(log_path(name, container["name"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        process = os.fork()
        if process == 0:
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.execve(argv[0], argv, environment)
        os.close(log)
        pod["process"] = process
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with Cluster() as cluster:
        pod = cluster.find("pod", name)
        if pod is None:
            return None
        pod.pop("process")
        pod["status"] = {"phase": "Running"}
        if "deletionTimestamp" in pod["metadata"]:
            cluster.end_pod(pod)
            return None
    return code


def command(cluster, pod, container):
    """The image's programs, on the directories that the claims stand for."""
    state = cluster.state
    directory = {name: volume(cluster.find("persistentvolumeclaim", name)) for name in claims(pod)}
    directory.update(scratch(pod))
    # A push has no use for the database.
    environment = {"DB_PATH": directory.get("pra-data", "/nowhere") + "/app.db", "BACKUP_DIR": directory["pra-backup"]}
    environment["BACKUP_REMOTE"] = f"file://{HOME}/remote"
    environment.update(cluster.told.get("secret", {}))
    environment.update({variable["name"]: variable["value"] for variable in container.get("env", [])})
    if container["name"] == "app":
        if cluster.told.get("no_restore"):
            environment["RESTORE_FIRST"] = "false"
        environment["LISTEN"] = f"127.0.0.1:{state['port']}"
        # Named on the command line too, so that a test finds what was left behind.
        return [state["programs"] + "/app", "--database", environment["DB_PATH"]], environment
    program = container["command"][0]
    assert program in ("/bin/backup", "/bin/drill"), container
    return [state["programs"] + program.replace("/bin", ""), *container["args"]], environment


def template(text):
    """A restore Job as JSON: what the drill edits, and what matters here."""
    values = lambda key: [line.split(": ")[1] for line in text.splitlines() if line.strip().startswith(key + ": ")]
    assert values("kind") == ["Job"], text
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in values("claimName")]
    assert set(values("command")) == {"[/bin/backup]"}, text
    container = lambda name, args: {"name": name, "command": ["/bin/backup"], "image": "pra/app", "args": args}
    args = [value.strip("[]").split(", ") for value in values("args")]
    spec = {"containers": [container("restore", args.pop())], "volumes": volumes}
    if args:
        spec["initContainers"] = [container("pull", args.pop())]
    metadata = {"name": "restore", "labels": {"app.kubernetes.io/name": "restore"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    return to_json({**job, "spec": {"template": {"metadata": {"labels": {}}, "spec": spec}}})


def get(cluster, options, kind, name=None):
    kind = SINGULAR.get(kind, kind)
    if name is not None:
        body = cluster.find(kind, name)
        if body is None and "--ignore-not-found" not in options:
            cluster.must_find(kind, name)
        return "" if body is None else to_json(body)
    return to_json({"items": selected(cluster, kind, options.get("--selector", ""))})


def selected(cluster, kind, selector):
    wanted = [pair.split("=") for pair in selector.split(",") if pair]
    has = lambda body: all(body["metadata"].get("labels", {}).get(key) == value for key, value in wanted)
    return [body for body in cluster.all(kind).values() if has(body)]


def create(cluster, options, *words):
    if not words:
        body = from_json(options["input"])
        cluster.add(body["kind"].lower(), body)
    else:
        cluster.add_job(words[1], options["--from"].split("/")[1])


def scale(cluster, options, kind, name):
    deployment = cluster.must_find(kind, name)
    deployment["spec"]["replicas"] = int(options["--replicas"])
    deployment["metadata"]["generation"] += 1


def patch(cluster, options, kind, name):
    body, changes = cluster.must_find(kind, name), from_json(options["--patch"])
    if options.get("--type") != "json":
        body["spec"].update(changes.get("spec", {}))
        return
    for change in changes:
        *path, last = [int(part) if part.isdigit() else part for part in change["path"].split("/")[1:]]
        parent = body
        for part in path:
            parent = parent[part]
        if change["op"] == "remove":
            del parent[last]
        else:
            parent[last] = change["value"]
    revise(cluster, body)


def revise(cluster, deployment):
    """Another template is another revision."""
    history = cluster.state["revisions"]
    deployment["metadata"]["annotations"][REVISION] = str(len(history) + 1)
    history.append(from_json(to_json(deployment["spec"]["template"])))
    deployment["metadata"]["generation"] += 1


def rollout(cluster, options, undo, target):
    assert undo == "undo", undo
    deployment = cluster.must_find(*target.split("/"))
    template = cluster.state["revisions"][int(options["--to-revision"]) - 1]
    if deployment["spec"]["template"] != template:
        deployment["spec"]["template"] = template
        revise(cluster, deployment)


def cordon(cluster, options, node):
    assert node == "node-0", node
    cluster.state["cordoned"] = True


def uncordon(cluster, options, node):
    assert node == "node-0", node
    cluster.state["cordoned"] = False


def delete(cluster, options, kind, *names):
    if "--selector" in options:
        names = [body["metadata"]["name"] for body in selected(cluster, kind, options["--selector"])]
    for name in names:
        if name in cluster.all(kind) or "--ignore-not-found" not in options:
            cluster.delete(kind, name, "--force" in options)


def logs(cluster, options, target):
    kind, _, name = target.rpartition("/")
    pods = [cluster.must_find("pod", name)] if not kind else cluster.pods_of(name)
    if not pods:
        raise Refused(f"error: no pod of {target}")
    pod = pods[0]["metadata"]["name"]
    every = ["pull", "restore", "push", "backup", "app"]
    containers = [options["--container"]] if "--container" in options else every
    return "".join(log_of(pod, container) for container in containers)


def execute(cluster, options, target, *argv):
    pods = [pod for pod in cluster.pods_of(target.split("/")[1]) if pod.get("process")]
    if not pods:
        raise Refused(f"error: unable to upgrade connection: no running container of {target}")
    assert argv[0] == "/bin/backup", argv
    return command(cluster, pods[0], {"name": "exec", "command": [argv[0]], "args": argv[1:]})


VERBS = {
    **{"get": get, "create": create, "scale": scale, "patch": patch, "delete": delete, "logs": logs, "exec": execute},
    **{"cordon": cordon, "uncordon": uncordon, "rollout": rollout},
}
AWAY = "The connection to the server stand-in was refused - did you specify the right host or port?"
READING = ("get", "logs", "exec")


def parse(argv):
    options, words, argv = {}, [], list(argv)
    while argv:
        word = argv.pop(0)
        if word == "--":
            return options, words + argv
        if word.startswith("--"):
            key, _, value = word.partition("=")
            options[key] = argv.pop(0) if key in WITH_VALUE and not value else value
        else:
            words.append(word)
    return options, words


def serve(argv):
    """One call, up to its answer."""
    if time.time() < read_json("state.json").get("away_until", 0):
        raise Refused(AWAY)
    options, (verb, *words) = parse(argv)
    if options.get("--filename") == "-":
        options["input"] = sys.stdin.read()
    if not options.get("--context") or not options.get("--namespace"):
        raise Refused("error: neither context nor namespace may be left to chance")
    if options["--context"] != CONTEXT:
        raise Refused(f'error: context "{options["--context"]}" does not exist')
    if "--dry-run" in options:
        return print(template(options["input"]))
    with Cluster() as cluster:
        told, number = cluster.told, None
        if verb not in READING:
            away, seconds = told.get("away", (0, 0))
            if away == cluster.state["changes"] + 1 and "away_until" not in cluster.state:
                cluster.state["away_until"] = time.time() + seconds
                raise Refused(AWAY)
            number = cluster.state["changes"] = cluster.state["changes"] + 1
            what = [verb, *words]
            if "input" in options:
                body = from_json(options["input"])
                what = [verb, body["kind"], body["metadata"]["name"]]
            log_change(number, " ".join(what + [options[key] for key in ("--replicas", "--patch") if key in options]))
        if number and (number in told.get("fail", []) or number >= told.get("fail_from", number + 1)):
            raise Refused("Error from server (InternalError): told to fail")
        answer = VERBS[verb](cluster, options, *words)
    if verb == "exec":
        sys.stdout.flush()
        os.execve(answer[0][0], *answer)
    if number in told.get("lose", []):
        raise Refused("error: connection reset by peer, told to lose the answer")
    if number in told.get("hang", []):
        open(os.path.join(HOME, "hanging"), "w", encoding="utf-8").close()
        return os._exit(200)
    return print(answer or "", end="")


def log_change(number, what):
    with open(os.path.join(HOME, "changes"), "a", encoding="utf-8") as file:
        file.write(f"{number} {what}\n")


def begin(programs, port):
    """A cluster on which the system was deployed."""
    for directory in ("", "logs", "volumes", "remote"):
        os.makedirs(os.path.join(HOME, directory))
    mounts = [{"persistentVolumeClaim": {"claimName": name}} for name in ("pra-data", "pra-backup")]
    backup = {"image": "pra/app", "command": ["/bin/backup"]}
    restore = {**backup, "name": "restore", "args": ["restore", "--if-missing", "--json"]}
    env = [{"name": "RESTORE_FIRST", "value": "true"}]
    app = {"name": "app", "image": "pra/app:1", "env": env}
    service = {"initContainers": [restore], "containers": [app], "volumes": mounts}
    take = {"containers": [{**backup, "name": "backup", "args": ["take", "--json"]}], "volumes": mounts}
    labels = {"app.kubernetes.io/name": "sqlite-backup"}
    push = {**backup, "name": "push", "args": ["push", "--json"]}
    offsite = {"containers": [push], "volumes": mounts[1:]}
    job = lambda spec: {"spec": {"template": {"metadata": {"labels": labels}, "spec": spec}}}
    cron_job = lambda name, spec: {**named(name), "spec": {"suspend": False, "jobTemplate": job(spec)}}
    named = lambda name, **fields: {"metadata": {"name": name, "uid": name, "generation": 1, **fields}}
    claim = lambda name: {**named(name), "kind": "PersistentVolumeClaim", "spec": {}, "status": {"phase": "Pending"}}
    selector = {"matchLabels": SERVICE_LABELS}
    deployment = {"replicas": 1, "selector": selector, "template": {"spec": service}}
    objects = {
        "namespace": {NAMESPACE: named(NAMESPACE, labels={"pra.dev/drill": "allowed"})},
        "deployment": {"app": {**named("app", annotations={REVISION: "1"}), "spec": deployment}},
        "node": {"node-0": {**named("node-0"), "status": {"conditions": [{"type": "Ready", "status": "True"}]}}},
        "service": {"app": {**named("app"), "spec": {"ports": [{"port": 80}]}}},
        "cronjob": {name: cron_job(name, spec) for name, spec in (("sqlite-backup", take), ("sqlite-offsite", offsite))},
        "persistentvolumeclaim": {name: claim(name) for name in ("pra-data", "pra-backup")},
    }
    state = {"programs": programs, "port": port, "uids": 0, "changes": 0, "objects": objects}
    state["revisions"] = [deployment["template"]]
    write_json("state.json", state)
    with Cluster():
        pass


def end():
    """Kills everything that runs."""
    with Cluster() as cluster:
        cluster.all("deployment").clear()
        for pod in list(cluster.all("pod").values()):
            cluster.end_pod(pod, force=True)


def power(on, node):
    """The only node gets its power back, or loses it, and all that runs there with it."""
    with Cluster() as cluster:
        cluster.state["stopped"] = not on
        ready = {"type": "Ready", "status": "True" if on else "Unknown"}
        cluster.must_find("node", node)["status"]["conditions"] = [ready]
        log_change(0, f"power {'on' if on else 'off'} {node}")
        for pod in cluster.all("pod").values():
            if not on and pod.get("process"):
                os.kill(pod["process"], SIGKILL)


def port_forward(ports):
    """Passes bytes on until the service behind it cannot be reached, as a real tunnel ends with its pod."""
    import socket
    import threading

    def pass_on(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # Either end has gone: so has the connection.

    with socket.create_server(("127.0.0.1", int(ports.split(":")[0]))) as server:
        while True:
            client = server.accept()[0]
            try:
                service = socket.create_connection(("127.0.0.1", read_json("state.json")["port"]))
            except ConnectionRefusedError:
                print("error: lost connection to pod", file=sys.stderr)
                return 1
            for ends in ((client, service), (service, client)):
                threading.Thread(target=pass_on, args=ends, daemon=True).start()


def main(argv):
    """The call itself goes on if whoever made it is killed, as the API server would."""
    if argv[0] in ("begin", "end"):
        return {"begin": begin, "end": end}[argv[0]](*argv[1:])
    if argv[0] == "power":
        return power(argv[1] == "on", argv[2])
    if "port-forward" in argv:
        return port_forward(argv[-1])
    client, server = os.getpid(), os.fork()
    if server == 0:
        code = 0
        try:
            os.setsid()
            serve(argv)
        except Refused as refused:
            print(refused, file=sys.stderr)
            code = 1
        sys.stdout.flush()
        os._exit(code)
    parent = os.getppid()
    code = os.waitstatus_to_exitcode(os.waitpid(server, 0)[1])
    while code == 200 and os.getppid() == parent:
        time.sleep(0.05)
    return code

