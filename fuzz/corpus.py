"""The corpus of a fuzz target as one text file, an input a line, so that a review can read it.

    corpus.py unpack FILE FOLDER     writes each input as a file of FOLDER
    corpus.py pack FOLDER FILE [N]   keeps at most N inputs of at most 1,500 bytes, of every length

A line is a JSON text; an input that is not UTF-8 is {"bytes": TEXT}, a character of TEXT for each byte.
"""

import hashlib
import json
import pathlib
import sys


LONGEST = 1500


def read_line(line):
    value = json.loads(line)
    return value.encode() if isinstance(value, str) else value["bytes"].encode("latin-1")


def write_line(data):
    try:
        return json.dumps(data.decode(), ensure_ascii=False)
    except UnicodeDecodeError:
        return json.dumps({"bytes": data.decode("latin-1")})


def unpack(file, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for line in file.read_text("utf-8").split("\n"):
        if line:
            data = read_line(line)
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def pack(folder, file, most):
    inputs = sorted({path.read_bytes() for path in folder.iterdir()}, key=lambda data: (len(data), data))
    inputs = [data for data in inputs if len(data) <= LONGEST]
    if most is not None and len(inputs) > most:
        inputs = [inputs[n * len(inputs) // most] for n in range(most)]
    file.write_text("".join(write_line(data) + "\n" for data in inputs), "utf-8")


def main(arguments):
    match arguments:
        case ["unpack", file, folder]:
            unpack(pathlib.Path(file), pathlib.Path(folder))
        case ["pack", folder, file, *most]:
            pack(pathlib.Path(folder), pathlib.Path(file), int(most[0]) if most else None)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
