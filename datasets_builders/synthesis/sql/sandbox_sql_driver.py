"""Section 2.4: the program that runs inside the sandbox and asks databases.

Never imported by the package: its text is sent to the executor together with `jobs.json`. Every job has databases, as
scripts, and queries; each query runs on each database, which it cannot change, under a bound on the database's own
steps: that does not depend on how loaded the machine is. One line of JSON is written per job.
"""

import json
import sqlite3

MAX_STEPS = 2_000_000  # of SQLite's virtual machine
STEPS_PER_LOOK = 10_000
MAX_ROWS = 500
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
# What answers differently every time.
FORBIDDEN_FUNCTIONS = {"random", "randomblob", "load_extension", "current_date", "current_time", "current_timestamp"}


def authorize(action, first, second, database, source):
    """Allow reading, and functions that depend on their arguments."""
    if action not in ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second in FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def plain(value):
    """Return a value so that equal numbers are written alike."""
    if isinstance(value, float):
        value = round(value, 6)
        return int(value) if value.is_integer() else value
    return value.hex() if isinstance(value, bytes) else value


def ask(connection, query):
    """Run one query; return its rows, or what went wrong."""
    looks = [0]

    def too_long():
        looks[0] += 1
        return looks[0] * STEPS_PER_LOOK > MAX_STEPS

    connection.set_progress_handler(too_long, STEPS_PER_LOOK)
    try:
        rows = connection.execute(query).fetchmany(MAX_ROWS + 1)
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    if len(rows) > MAX_ROWS:
        return {"error": f"more than {MAX_ROWS} rows"}
    return {"rows": [[plain(value) for value in row] for row in rows]}


def main():
    """Run all jobs of jobs.json one after the other."""
    with open("jobs.json", encoding="utf-8") as stream:
        jobs = json.load(stream)
    for number, job in enumerate(jobs):
        results = []
        for setup in job["setups"]:
            connection = sqlite3.connect(":memory:")
            connection.executescript(setup)
            found = []
            for is_reversed in (0, 1):
                # What no ORDER BY settles comes the other way round the second time.
                connection.execute(f"PRAGMA reverse_unordered_selects = {is_reversed}")
                connection.set_authorizer(authorize)
                found.append([ask(connection, query) for query in job["queries"]])
                connection.set_authorizer(None)
            connection.close()
            for first, second in zip(*found, strict=True):
                if first != second:
                    first["reversed_rows"] = second.get("rows")
            results.append(found[0])
        print(json.dumps({"job": number, "results": results}), flush=True)


if __name__ == "__main__":
    main()
