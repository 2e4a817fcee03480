"""Reads the tables of a package as other people do: the workbook with openpyxl, the
files with Python's csv. Every value must be the same in both. Prints the number of
cells and the sums of all numbers of each column as JSON."""
import csv
import datetime
import decimal
import json
import pathlib
import re
import sys

import openpyxl

FORMULA = re.compile(r"'+[\s\u200b]*[=+\-@＝＋－＠]")
NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")


def original(text):
    """What docs/package.md says of taking the apostrophes away."""
    if re.match("'+[\t\r\n\0]", text):
        text = text[1:]
    parts = re.split("([;\t\r\n])", text)
    return "".join(p[1:] if FORMULA.match(p) and not NUMBER.match(p.lstrip("' ")) else p for p in parts)


def plain(cell):
    if cell.value is None:
        return ""
    if isinstance(cell.value, datetime.datetime):
        return cell.value.date().isoformat()
    if cell.data_type == "n":
        return decimal.Decimal(repr(cell.value))
    assert cell.data_type in ("s", "inlineStr"), (cell.coordinate, cell.data_type)
    return cell.value


def main(directory):
    book = openpyxl.load_workbook(directory / "tables.xlsx")
    cells, sums = 0, {}
    for file in sorted((directory / "tables").glob("*.csv")):
        with open(file, encoding="utf-8", newline="") as stream:
            header, *records = csv.reader(stream)
        name = file.stem
        sheet = book[name if name in book.sheetnames else name + "_2"]
        assert sheet.freeze_panes == "A2", (name, sheet.freeze_panes)
        for n, record in enumerate(records, 2):
            for place, text in enumerate(record):
                got = plain(sheet.cell(n, place + 1))
                if isinstance(got, decimal.Decimal):
                    assert got == decimal.Decimal(text), (name, n, place, got, text)
                    key = name + "." + header[place]
                    sums[key] = sums.get(key, 0) + got
                else:
                    # What XML cannot carry is a sign for it there, and openpyxl leaves
                    # the format's escape of an underscore as it is.
                    want = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f]", "\ufffd", original(text))
                    assert got.replace("_x005F_", "_") == want, (name, n, place, got, want)
                cells += 1
    money = next(c for c in book["contributions"][2] if c.data_type == "n")
    assert money.number_format == "#,##0.00 [$USD]", money.number_format
    print(json.dumps({"cells": cells, "sums": {k: str(v) for k, v in sums.items()}, "created": book.properties.created.isoformat()}))


main(pathlib.Path(sys.argv[1]))
