#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# json-check.py COMMAND: what that printed with --json, on standard input, is what docs/json.md says.
import json, re, sys
command, lines = sys.argv[1], [l for l in sys.stdin.read().split("\n")]
docs, where, array = {}, None, None
for line in open("docs/json.md"):
    if line.startswith("## "):
        where = [c.strip() for c in line[3:].split(",")]
        array = None
        for c in where: docs[c] = {}
    elif where and re.match(r"`\w+\[\]`", line):
        array = re.match(r"`(\w+)\[\]`", line).group(1)
        for c in where: docs[c].setdefault(array, docs["node info"][None] if "as `node info`" in line else {})
    elif where and (m := re.match(r"\| (\w+) \| ([a-z ,]+) \|", line)) and m.group(1) != "member":
        for c in where: docs[c].setdefault(array, {})[m.group(1)] = m.group(2)
names = {str: "text", bool: "bool", int: "number", type(None): "null", list: "list", dict: "map"}
def same(value, table, at):
    for k, v in value.items():
        assert k in table, f"{command}: {at}{k} is not documented"
        kinds = re.split(" or |, ", table[k])
        assert names[type(v)] in kinds, f"{command}: {at}{k} is {names[type(v)]}, not {table[k]}"
    for k, kind in table.items():
        assert k in value or "optional" in kind, f"{command}: {at}{k} is missing"
text = "\n".join(lines)
for d in [json.loads(text)] if command not in ("events", "top") else [json.loads(l) for l in lines if l]:
    assert list(d)[0] == "schema" and d.pop("schema") == 1, command
    table = docs[command]
    arrays = [a for a in table if a]
    assert arrays or None in table, f"{command} is not documented"
    for a in arrays:
        assert d[a], f"{command}: no {a} to look at"
        for item in d[a]: same(item, table[a], a + "[].")
    if None in table: same(d, table[None], "")
    else: assert list(d) == arrays, (command, list(d))
