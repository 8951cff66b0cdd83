"""settings_of.py SERVICE SECRETS: the variables the demo's Compose file gives a service, a line each, with its secrets
read from another folder; then, a word a line after an empty one, its health check."""

import sys

from shipped import compose

service = compose(demo=True)["services"][sys.argv[1]]
for name, value in service.get("environment", {}).items():
    print(f"{name}={value}".replace("/run/secrets", sys.argv[2]))
print()
print(*service.get("healthcheck", {}).get("test", ["CMD"])[1:], sep="\n")
