"""docker-compose.yml against the programs, the repository and itself. Each function yields what it objects to."""

import re

from shipped import (BIN, DEMO, DEMO_SECRETS, GIVEN, PROGRAMS, ROOT, compose, config, docker_compose, dockerfile, ours,
                     program_of, run, seconds, temporary_folder)

IMAGE_VARIABLES = {"postgres": {"POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"}}


def file_is_valid():
    """docker-compose accepts the file with what must be given, and only then."""
    for words, given, env_file in (([], GIVEN, None), (["--profile", "demo"], {}, DEMO)):
        code, text = docker_compose(*words, "config", "--quiet", given=given, env_file=env_file)
        if code != 0:
            yield text
    named = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.M)
    if named != list(GIVEN):
        yield f".env.example names {named}"
    for name in GIVEN:
        rest = {key: value for key, value in GIVEN.items() if key != name}
        if docker_compose("config", "--quiet", given=rest)[0] == 0:
            yield f"starts without {name}"


def with_readable_secrets(environment):
    return {name: str(value).replace("/run/secrets", str(DEMO_SECRETS)) for name, value in environment.items()}


def settings_are_known():
    """The program of each service takes every variable it is given, misses none, and finds no fault."""
    seen = set()
    for demo in (False, True):
        for name, service in compose(demo)["services"].items():
            environment = service.get("environment", {})
            if not ours(service):
                yield from (f"{name}: the image knows no {variable}"
                            for variable in set(environment) - IMAGE_VARIABLES.get(name, set()))
                continue
            seen.add(program_of(service))
            _, errors, settings = config(program_of(service), with_readable_secrets(environment))
            yield from (f"{name}: {error}" for error in errors)
            for variable, value in environment.items():
                setting = settings.get(re.sub("_FILE$", "", variable), settings.get(variable))
                if setting is None or (value and setting[0] == "default"):
                    yield f"{name}: {program_of(service)} does not read {variable}"
    yield from (f"no service runs {program}" for program in set(PROGRAMS) - seen)


def ports_agree():
    """Ports are the programs' own, and who is asked for listens there."""
    services = compose()["services"]
    for name, service in services.items():
        for variable in ("PORT", "OPS_PORT"):
            given = service.get("environment", {}).get(variable)
            if given is not None and given != config(program_of(service))[2][variable][1]:
                yield f"{name}: {variable} {given} is not the default of {program_of(service)}"
    exposed = next(text for keyword, text in dockerfile()["services"] if keyword == "EXPOSE").split()
    wanted = {settings[key][1] for program in PROGRAMS for settings in [config(program)[2]]
              for key in ("PORT", "OPS_PORT") if key in settings}
    if set(exposed) != wanted:
        yield f"the image exposes {exposed}, the programs use {sorted(wanted)}"
    nginx = (ROOT / "deploy/nginx/nginx.conf").read_text()
    upstream = re.search(r"server (\w+):(\d+)", nginx)
    if services[upstream[1]]["environment"].get("PORT") != upstream[2]:
        yield f"nginx asks {upstream[0]}, where nothing serves"
    for protocol in ("http", "https"):
        listens = re.search(r"listen (\d+)", (ROOT / f"deploy/nginx/{protocol}.conf").read_text())[1]
        if not re.search(rf":{listens}(/tcp)?$", str(services["edge"]["ports"][0])):
            yield f"{protocol}.conf listens on {listens}, which is not the port that is published"
        if f"/{listens}" not in services["edge"]["healthcheck"]["test"][-1]:
            yield f"the health check of edge does not ask port {listens}"
    if services["api"]["environment"]["TRUSTED_PROXIES"] != services["edge"]["networks"]["edge"]["ipv4_address"]:
        yield "the API does not trust the address of the edge"
    sink = compose(demo=True)["services"]["worker"]["environment"]["PROVIDER_URL"]
    if sink != "http://sink:" + services["sink"]["command"][services["sink"]["command"].index("--port") + 1]:
        yield f"the demo's provider {sink} is not the sink"
    for secret, address in (("database_url", "@postgres:5432/"), ("amqp_url", "@rabbitmq:5672/"),
                            ("redis_url", "@redis:6379")):
        if address not in (DEMO_SECRETS / secret).read_text():
            yield f"{secret} of the demo does not lead to {address}"


def paths_exist():
    """Every file that is mounted is there, and every secret that is read is granted and made."""
    with temporary_folder() as folder:
        code, text = run(str(ROOT / "deploy/docker/make_secrets.sh"), folder)
        if code != 0:
            yield text
        file = compose_with_secrets(folder)
        for name, service in file["services"].items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source not in file["volumes"] and not run("test", "-e", source)[0] == 0:
                    yield f"{name}: there is no {source}"
            granted = {secret["source"] for secret in service.get("secrets", [])}
            read = set(re.findall(r"/run/secrets/(\w+)", str(service)))
            if name == "postgres":
                read |= set(re.findall(r"/run/secrets/(\w+)", (ROOT / "deploy/docker/create_database.sql").read_text()))
            if granted != read:
                yield f"{name}: reads the secrets {sorted(read)}, is granted {sorted(granted)}"
        for secret in file["secrets"].values():
            if run("test", "-e", secret["file"])[0] != 0:
                yield f"make_secrets.sh makes no {secret['file']}"
    for secret in compose(demo=True)["secrets"].values():
        if run("test", "-s", secret["file"])[0] != 0:
            yield f"the demo has no {secret['file']}"
    for name, service in file["services"].items():
        if "build" in service and service["build"]["target"] not in dockerfile():
            yield f"{name}: the Dockerfile has no stage {service['build']['target']}"
    mounted = {volume.split(":")[1] for volume in file["services"]["edge"]["volumes"]}
    for conf in ("nginx.conf", "https.conf"):
        text = (ROOT / "deploy/nginx" / conf).read_text()
        for path in re.findall(r"^\s*(?:include|ssl_certificate(?:_key)?) (\S+);", text, flags=re.M):
            path = path if path.startswith("/") else f"/etc/nginx/{path}"
            if path not in mounted and path.rsplit("/", 1)[0] not in mounted:
                yield f"{conf} reads {path}, which is not mounted"


def compose_with_secrets(folder):
    given = GIVEN["SECRETS"]
    GIVEN["SECRETS"] = folder
    try:
        return compose()
    finally:
        GIVEN["SECRETS"] = given


def commands_exist():
    """What a container runs, at its start or as its health check, is a program with that command and these options."""
    folders = f"{BIN}:/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/bin"
    for name, service in compose()["services"].items():
        for words in (service.get("command", []), service.get("healthcheck", {}).get("test", ["CMD"])[1:]):
            if not words:
                continue
            if run("sh", "-c", f"command -v {words[0]}", env={"PATH": folders})[0] != 0:
                yield f"{name}: there is no program {words[0]}"
            elif words[0] in PROGRAMS + ("tidings-sink",):
                _, text = run(str(BIN / words[0]), "--help")
                known = re.findall(r"^\s+(--[a-z-]+|[a-z]+)\b", text, flags=re.M)
                yield from (f"{name}: {words[0]} knows no {word}" for word in words[1:]
                            if (word.startswith("--") or words[0] != "tidings-sink") and word not in known)


def closed_by_default():
    """No service can do or reach more than it must."""
    file = compose()
    for name, service in file["services"].items():
        for key in ("cap_drop", "security_opt", "mem_limit", "restart", "pids_limit", "logging"):
            if not service.get(key):
                yield f"{name}: has no {key}"
        if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: keeps privileges"
        if (ours(service) or name in ("edge", "sink")) and service.get("read_only") is not True:
            yield f"{name}: may write to its own file system"
        if not ours(service) and name != "sink" and service.get("user") in (None, "root", "0"):
            yield f"{name}: runs as root"
        if service.get("ports") and name not in ("edge", "sink"):
            yield f"{name}: publishes {service['ports']}"
        yield from (f"{name}: {port} is published beyond loopback by default" for port in service.get("ports", [])
                    if not str(port).startswith("127.0.0.1:"))
        yield from (f"{name}: {variable} is a secret in the open" for variable in service.get("environment", {})
                    if re.search(r"PASSWORD|SECRET|TOKEN|(DATABASE|AMQP|REDIS)_URL", variable)
                    and not variable.endswith("_FILE"))
        if "healthcheck" not in service and name not in ("migrate", "sink"):
            yield f"{name}: has no health check"
        networks = service.get("networks", {})
        if ours(service) and not file["networks"]["inside"].get("internal"):
            yield "the network `inside` leads outside"
        if name in ("postgres", "rabbitmq", "redis", "scheduler", "migrate") and set(networks) != {"inside"}:
            yield f"{name}: is on {sorted(networks)}"
        for dependency, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy" and "healthcheck" not in file["services"][dependency]:
                yield f"{name}: waits for the health of {dependency}, which has no health check"
    if ("USER", "10001:10001") not in dockerfile()["services"]:
        yield "the image does not leave root"


def postgres_is_sized():
    """PostgreSQL reads the shipped file, in which the last word on its memory, and on what it loads, is this one."""
    file, service = "deploy/docker/postgresql.conf", compose()["services"]["postgres"]
    read = [word.split("=", 1)[1] for word in service["command"] if word.startswith("config_file=")]
    mounted = [volume.split(":")[1] for volume in service["volumes"] if volume.split(":")[0].endswith(file)]
    if read != mounted:
        yield f"{file} is mounted as {mounted}, PostgreSQL reads {read}"
    said = dict(re.findall(r"^\s*([\w.]+)\s*=\s*'?([^'#\n]*?)'?\s*(?:#.*)?$", (ROOT / file).read_text(), flags=re.M))
    for name, value in (("shared_buffers", "256MB"), ("effective_cache_size", "1GB"), ("work_mem", "4MB")):
        if said.get(name) != value:
            yield f"{name} is {said.get(name)}, not {value}"
    if "pg_stat_statements" not in said.get("shared_preload_libraries", "").split(","):
        yield "pg_stat_statements is not loaded"


def budget_holds():
    """Twice every pool, as during a rolling update, fits into PostgreSQL, and replicas are counted right; stops have their
    time; lease and rule agree."""
    services = {name: service for name, service in compose()["services"].items() if ours(service)}
    connections = 0
    for name, service in services.items():
        settings = config(program_of(service), with_readable_secrets(service["environment"]))[2]
        connections += service.get("deploy", {}).get("replicas", 1) * int(settings["DB_POOL_MAX"][1])
        for counted in ("api", "worker"):
            if settings[f"{counted.upper()}_REPLICAS"][1] != str(services[counted].get("deploy", {}).get("replicas", 1)):
                yield f"{name}: counts another number of {counted} than there are"
        if seconds(service["stop_grace_period"]) <= seconds(settings["SHUTDOWN_GRACE"][1]):
            yield f"{name}: is killed before its SHUTDOWN_GRACE is over"
    conf = (ROOT / "deploy/docker/postgresql.conf").read_text()
    allowed = int(re.search(r"^max_connections = (\d+)", conf, flags=re.M)[1])
    if compose()["services"]["postgres"]["pids_limit"] < allowed + 50:
        yield f"PostgreSQL may have {allowed} connections, but not as many processes"
    most = allowed - 3  # kept for superusers
    if 2 * connections > most:
        yield f"twice {connections} connections are more than PostgreSQL's {most}"
    for variable in ("DELIVERY_LEASE", "PROVIDER_IN_DOUBT"):
        if services["worker"]["environment"][variable] != services["scheduler"]["environment"][variable]:
            yield f"worker and scheduler differ in {variable}"
    if services["worker"]["environment"]["PROVIDER_KEY_LIFE"] != services["api"]["environment"]["PROVIDER_KEY_LIFE"]:
        yield "worker and api differ in PROVIDER_KEY_LIFE"
