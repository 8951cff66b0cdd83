"""What is shipped, read as data: the Compose file as docker-compose understands it, the Dockerfile's stages, and what
the programs say about themselves."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ["TIDINGS_BIN"])
PROGRAMS = ("api-svc", "scheduler-svc", "worker-svc")
DEMO = "deploy/docker/demo.env"
DEMO_SECRETS = ROOT / "deploy/docker/demo_secrets"
# What an operator must give, as .env.example says.
GIVEN = {"SECRETS": "./secrets", "PROVIDER_URL": "https://provider.example"}


def run(*words, env=None):
    """Exit code, and output and errors together."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | (env or {})
    done = subprocess.run(words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout


# docker-compose would read .env, which is this machine's.
EMPTY = tempfile.NamedTemporaryFile(prefix="tidings-empty-")


def docker_compose(*words, given, env_file=None):
    env_file = env_file or EMPTY.name
    return run("docker-compose", "--env-file", env_file, *words, env=given)


def compose(demo=False):
    """The file with every variable filled in; with the demo's, or with what an operator must give."""
    words = ("--profile", "demo", "--profile", "redis", "config")
    code, text = docker_compose(*words, given={} if demo else GIVEN, env_file=DEMO if demo else None)
    if code != 0:
        raise SystemExit(text)
    return yaml.safe_load(text)


def dockerfile():
    """Stage by name: its instructions as pairs of keyword and text."""
    text = (ROOT / "deploy/docker/Dockerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    stages, stage = {}, None
    for line in filter(None, map(str.strip, text.splitlines())):
        keyword, rest = line.split(maxsplit=1)
        if keyword == "FROM":
            stage = stages.setdefault(rest.split(" AS ")[1], [])
        stage.append((keyword, rest))
    return stages


def ours(service):
    return service["image"].startswith("tidings:")


def program_of(service):
    return service["command"][0]


def config(program, environment=None):
    """Exit code, errors, and the origin and value of each setting by its name."""
    code, text = run(str(BIN / program), "--print-config", env=environment)
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    settings = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([A-Z][A-Z0-9_]+)(?: {2,}(\S.*?))? {2,}(\S.*)", line)
        if match and not line.startswith("error: "):
            settings[match[1]] = (match[3], match[2] or "")
    return code, errors, settings


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="tidings-shipped-")
