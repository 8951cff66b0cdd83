"""The Dockerfile and nginx's configuration against this machine, which has the packages the image would have."""

import re
import shutil
from pathlib import Path

from shipped import BIN, PROGRAMS, ROOT, dockerfile, run, temporary_folder

# Part of every Debian image.
ESSENTIAL = {"libc6", "libgcc-s1"}
# Not libraries: certificates that sign the provider's, and the time zones --version names.
DATA = {"ca-certificates", "tzdata"}


def packages_of(stage):
    text = next(text for keyword, text in dockerfile()[stage] if keyword == "RUN" and "apt-get install" in text)
    words = re.search(r"apt-get install (.*?)(&&|$)", text)[1].split()
    return {word for word in words if not word.startswith("-") and word != '"${BUILD_PACKAGES[@]}"'}


def package_of(library):
    _, text = run("/sbin/ldconfig", "-p")
    path = Path(re.search(rf"\s{re.escape(library)} \(libc6,x86-64.*?\) => (\S+)", text)[1]).resolve()
    for candidate in (str(path), str(path).removeprefix("/usr")):
        code, found = run("dpkg-query", "--search", candidate)
        if code == 0:
            return found.split(":")[0]
    return f"(none, of {library})"


def packages_suffice():
    """The image has the package of every library the programs are linked with, and no other library."""
    needed = set()
    for program in PROGRAMS + ("tidings-sink",):
        _, text = run("readelf", "--dynamic", str(BIN / program))
        needed |= {package_of(library) for library in re.findall(r"\(NEEDED\).*\[(.*)\]", text)}
    given = packages_of("services")
    yield from (f"the image lacks {package}" for package in needed - given - ESSENTIAL)
    yield from (f"no program needs {package}" for package in given - needed - DATA)


def packages_are_in_bookworm():
    """Debian 12 offers every package that the Dockerfile installs."""
    _, text = run("bash", "-c", 'source deploy/local/packages.sh && echo "${BUILD_PACKAGES[@]}"')
    wanted = packages_of("services") | set(text.split())
    _, policy = run("apt-cache", "policy", *wanted)
    offered = re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: [^(]", policy, flags=re.M)
    yield from (f"bookworm has no {package}" for package in wanted - set(offered))
    yield from (f"stage {name} is built on {instructions[0][1]}" for name, instructions in dockerfile().items()
                if name != "sink" and not instructions[0][1].startswith("debian:bookworm"))


def copies_exist():
    """What the Dockerfile copies is in the repository, is not ignored, and is installed by the build."""
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name, instructions in dockerfile().items():
        for source in (text.split()[0] for keyword, text in instructions if keyword == "COPY"
                       and not text.startswith("--from")):
            if not (ROOT / source).exists() or (source != "." and f"!{source}" not in ignored):
                yield f"stage {name} copies {source}, which is not there or ignored"
    for kept in (line[1:] for line in ignored if line.startswith("!")):
        if not (ROOT / kept).exists():
            yield f".dockerignore keeps {kept}, which is not there"
    for entry in re.findall(r"add_subdirectory\((\w+)", (ROOT / "CMakeLists.txt").read_text()) + ["migrations"]:
        if f"!{entry}" not in ignored:
            yield f".dockerignore leaves out {entry}, which the build needs"
    build = " ".join(text for _, text in dockerfile()["build"])
    with temporary_folder() as folder:
        for component, prefix in re.findall(r"--component (\w+) --prefix /staging/(\w+)", build):
            code, text = run("cmake", "--install", str(BIN.parent), "--component", component, "--prefix",
                             f"{folder}/{prefix}", "--strip")
            if code != 0:
                yield text
        copied = [text.split()[1] for stage in ("services", "sink") for keyword, text in dockerfile()[stage]
                  if keyword == "COPY"]
        found = {path.name for path in Path(folder).glob("*/bin/*")}
        yield from (f"nothing is installed for {path}" for path in copied
                    if not Path(path.replace("/staging", folder)).is_dir())
        if found != set(PROGRAMS) | {"tidings-sink"}:
            yield f"the build installs {sorted(found)}"
        yield from (f"{path} ends with {run(str(path), '--help')[0]}" for path in Path(folder).glob("*/bin/*")
                    if run(str(path), "--help")[0] != 0)


def nginx_accepts():
    """nginx takes the configuration, with and without TLS."""
    with temporary_folder() as folder:
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
            "-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem")
        for protocol in ("http", "https"):
            for source, target in (("nginx.conf", "nginx.conf"), (f"{protocol}.conf", "listen.conf")):
                shutil.copy(ROOT / "deploy/nginx" / source, f"{folder}/{target}")
                path = Path(folder, target)
                path.write_text(path.read_text().replace("server api:", "server localhost:").replace(" /tmp/", f" {folder}/")
                                .replace("/etc/nginx/tls", folder))
            code, text = run("/usr/sbin/nginx", "-t", "-e", "stderr", "-c", f"{folder}/nginx.conf")
            if code != 0 or "[warn]" in text.replace('the "user" directive', ""):
                yield f"{protocol}: {text}"
