#!/usr/bin/env python3
"""What deploy/check asks of grafana.json.

dashboard.py schema         reads it by Grafana's own schema and compares what comes back: unknown fields get lost
dashboard.py queries FILE   writes its queries as recording rules, for promtool to parse
"""

import json
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("grafana.json")
# Of Prometheus' data source, not of the schema of dashboards.
BEYOND = {"titleFormat", "textFormat"}


def differences(ours, theirs, at=""):
    """What of `ours` is missing in `theirs`, or different there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from differences(value, theirs[key], f"{at}.{key}")
            elif key not in BEYOND:
                yield f"{at}.{key}: not in the schema"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs)):
            yield from differences(*pair, f"{at}[{number}]")
    elif ours != theirs:
        yield f"{at}: {ours!r} became {theirs!r}"


def schema(dashboard):
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()
    known = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
    return list(differences(dashboard, known))


def queries(dashboard, to):
    written = [
        target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ] + [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    for variable, value in [("$__rate_interval", "5m"), ("$job", "swim"), ("$instance", ".*")]:
        written = [query.replace(variable, value) for query in written]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(written)]
    # JSON is YAML too.
    pathlib.Path(to).write_text(json.dumps({"groups": [{"name": "grafana", "rules": rules}]}))
    return [f"variable left in {query}" for query in written if "$" in query]


def main():
    dashboard = json.loads(FILE.read_text())
    match sys.argv[1:]:
        case ["schema"]:
            found = schema(dashboard)
        case ["queries", to]:
            found = queries(dashboard, to)
        case _:
            sys.exit(__doc__)
    if found:
        sys.exit("\n".join(found))


main()
