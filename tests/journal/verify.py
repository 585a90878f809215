"""Verifies a journal by docs/journal.md alone, with nothing of the project: python3 verify.py DIRECTORY

Reads the segments of the directory, proves every line, and prints how many events there are and the last hash. Whatever
is not as documented ends it with the file, the line and the byte.
"""
import hashlib
import json
import pathlib
import re
import sys

NAME = re.compile(r"journal-(\d{20})\.jsonl")
KEYS = "position stream version name schema recorded_at barrier part parts message body prev hash".split()
OPTIONAL = {"barrier", "part", "parts", "message"}
SEAL = re.compile(rb',"hash":"([0-9a-f]{64})"}')


def verify(directory):
    position, previous = 0, "0" * 64
    anchor = directory / "anchor.json"
    if anchor.exists():
        start = json.loads(anchor.read_bytes())
        position, previous = start["position"], start["hash"]
    begins = position
    names = sorted(p.name for p in directory.iterdir() if p.name.startswith("journal-"))
    for name in names:
        assert NAME.fullmatch(name), f"{name} is no segment"
    names = [name for name in names if int(NAME.fullmatch(name)[1]) > begins]
    part, parts, whole, left = 0, 1, (position, previous), 0
    for name in names:
        first = int(NAME.fullmatch(name)[1])
        assert first == position + 1, f"{name}: events {position + 1} to {first - 1} are missing"
        at, last = 0, name == names[-1]
        for number, line in enumerate((directory / name).read_bytes().splitlines(keepends=True), 1):
            place = f"{name} line {number}, byte {at}"
            if last and not line.endswith(b"\n"):
                left += len(line)
                break
            assert len(line) <= 1 << 20 and min(line[:-1]) >= 0x20 and line.endswith(b"\n"), f"{place}: no line"
            covered, seal = line[:-76], SEAL.fullmatch(line[-76:-1])
            digest = hashlib.sha256(covered).hexdigest()
            assert seal and seal[1].decode() == digest, f"{place}: its hash is another"
            event = json.loads(line)
            found = list(event)
            assert found == [key for key in KEYS if key in event], f"{place}: keys {found}"
            assert OPTIONAL.union(found) == set(KEYS), f"{place}: keys {found}"
            assert event["position"] == position + 1, f"{place}: event {event['position']}"
            assert event["prev"] == previous, f"{place}: does not follow"
            if part == parts or part == 0:
                part, parts = 0, event.get("parts", 1)
            part += 1
            assert (event.get("part", 1), event.get("parts", 1)) == (part, parts), f"{place}: append not whole"
            position, previous, at = position + 1, digest, at + len(line)
            if part == parts:
                whole, left = (position, previous), 0
            else:
                left += len(line)
        assert last or part in (0, parts), f"{name}: append not whole at its end"
    return begins, *whole, left


if __name__ == "__main__":
    try:
        begins, position, head, left = verify(pathlib.Path(sys.argv[1]))
    except (AssertionError, ValueError, KeyError) as wrong:
        sys.exit(f"wrong: {wrong}")
    print(f"ok, {position - begins} events, {head}" + (f", {left} bytes at the end left out" if left else ""))
