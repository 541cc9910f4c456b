"""Checks the licence of every dependency against the list in deny.toml.

`cargo deny` does the same and more; this needs nothing installed.
"""

import json
import re
import subprocess
import sys
import tomllib


def satisfied(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression of AND, OR, WITH and parentheses is satisfied by the allowed ones."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def either() -> bool:
        nonlocal position
        value = both()
        while position < len(tokens) and tokens[position] == "OR":
            position += 1
            right = both()
            value = value or right
        return value

    def both() -> bool:
        nonlocal position
        value = one()
        while position < len(tokens) and tokens[position] == "AND":
            position += 1
            right = one()
            value = value and right
        return value

    def one() -> bool:
        nonlocal position
        token = tokens[position]
        position += 1
        if token == "(":
            value = either()
            position += 1
            return value
        if position < len(tokens) and tokens[position] == "WITH":
            token = f"{token} WITH {tokens[position + 1]}"
            position += 2
        return token in allowed

    return either()


def main() -> int:
    with open("deny.toml", "rb") as file:
        allowed = set(tomllib.load(file)["licenses"]["allow"])
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    packages = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["packages"]
    faults = [
        f"{package['name']} {package['version']}: {package['license'] or 'no licence named'}"
        for package in packages
        if not package["license"] or not satisfied(package["license"], allowed)
    ]
    for fault in faults:
        print(fault)
    print(f"{len(packages)} packages, {len(faults)} with a licence that is not allowed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
