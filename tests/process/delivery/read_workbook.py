"""Downloads a workbook, and prints the value, the type and the number format of each of its cells, by sheet."""

import json
import os
import sys
import urllib.request

import openpyxl

url, path = sys.argv[1:]
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {os.environ['STREAMTALLY_TOKEN']}"})
with urllib.request.urlopen(request) as answer, open(path, "wb") as file:
    file.write(answer.read())
book = openpyxl.load_workbook(path)
cells = {
    sheet.title: [[[str(cell.value), cell.data_type, cell.number_format] for cell in row] for row in sheet.rows]
    for sheet in book
}
print(json.dumps({"created": str(book.properties.created), "sheets": cells}))
