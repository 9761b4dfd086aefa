#!/usr/bin/env python3
"""Prints a month's bill as CSV: how long pushes lasted, by domain, app or stream.

  monthly_bill.py 2026-10 --time-zone Europe/Berlin --group-by domain,app >october.csv
  monthly_bill.py 2026-10 --price-per-minute 0.0125 >october.csv   with an amount a row
  monthly_bill.py 2026-10 --seal >october.csv                      what the service keeps byte for byte
  monthly_bill.py 2026-10 --corrections                            what has changed since it was sealed

What is printed is as of a moment, which standard error names: the same month with the same --as-of is the same for ever.

  STREAMTALLY_URL    where the service is; http://127.0.0.1:8080 when unset
  STREAMTALLY_TOKEN  a token with the scope `billing`

Exit status: 0 for a bill that is final as far as can be told; 3 when it may still change, and standard error says
why; 2 for bad usage; 1 when there is no bill.
"""

import argparse
import csv
import decimal
import hashlib
import io
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("STREAMTALLY_URL", "http://127.0.0.1:8080").rstrip("/")
MAY_CHANGE = 3


def ask(path, parameters=None, body=None):
    """The bytes of the answer to a GET, or with a body to a POST. Waits when the service says that it cannot now."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    request = urllib.request.Request(URL + path + query, data=json.dumps(body).encode() if body else None)
    # Where a redirect leads is not told the token.
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['STREAMTALLY_TOKEN']}")
    for attempts_left in reversed(range(5)):
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            retry_after = error.headers.get("Retry-After", "")
            if error.code not in (429, 503) or not retry_after.isdecimal() or attempts_left == 0:
                sys.exit(f"{describe(error)} (status {error.code})")
            time.sleep(int(retry_after))
        except OSError as error:
            sys.exit(f"{URL} cannot be reached: {error}")


def describe(error):
    """What an error answer says, for people."""
    try:
        problem = json.load(error)
        reasons = [f"{one['name']} {one['reason']}" for one in problem.get("invalid_parameters", [])]
        return ": ".join([problem["detail"], *reasons])
    except (ValueError, AttributeError, KeyError, TypeError):
        # Not from the service itself, but from something before it.
        return str(error)


def ask_json(path, parameters=None, body=None):
    return json.loads(ask(path, parameters, body))


def pages(path, parameters):
    """The rows of all pages of a list."""
    parameters = {**parameters, "limit": 500}
    while True:
        page = ask_json(path, parameters)
        yield from page["data"]
        if page["next_cursor"] is None:
            return
        parameters["cursor"] = page["next_cursor"]


def doubts(report):
    """Why a report may still change, or is not for certain."""
    # Both are UTC, and a period ends with a whole second.
    if report["as_of"][:19] < report["parameters"]["to"][:19]:
        yield "the month is not over"
    if report["totals"]["open_seconds"]:
        yield f"{report['totals']['open_seconds']} seconds are of pushes that have not ended, or whose end is not known"
    if report["totals"]["estimated_seconds"]:
        yield f"{report['totals']['estimated_seconds']} seconds are estimated: the ends of these pushes were not notified"


def seal(asked):
    """Has the report sealed: what is kept of it, as CSV."""
    sealed = ask_json("/v1/sealed-reports", body=asked)
    # A long report is sealed in the background.
    while sealed["status"] == "sealing":
        time.sleep(5)
        sealed = ask_json(f"/v1/sealed-reports/{sealed['sealed_report_id']}")
    if sealed["status"] != "sealed":
        sys.exit("the report could not be sealed: try again")
    text = ask(f"/v1/sealed-reports/{sealed['sealed_report_id']}", {"format": "csv"})
    if hashlib.sha256(text).hexdigest() != sealed["sha256"]:
        sys.exit("what was sealed arrived damaged")
    print(f"sealed as {sealed['sealed_report_id']}, SHA-256 {sealed['sha256']}", file=sys.stderr)
    return text


def corrections(report):
    """Each row that is not as it was sealed, old and new, as CSV."""
    same = {**report["parameters"], "as_of": None}
    sealed = (one for one in pages("/v1/sealed-reports", {}) if one["status"] == "sealed")
    newest = next((one for one in sealed if {**one["parameters"], "as_of": None} == same), None)
    if newest is None:
        sys.exit("this month was not sealed with these parameters")
    print(f"since {newest['sealed_report_id']} was sealed as of {newest['as_of']}", file=sys.stderr)
    names = ["domain", "app", "stream", "window_start", "window_end"]
    counts = ["push_seconds", "confirmed_seconds", "estimated_seconds", "open_seconds", "on_air_seconds"]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(names + [f"{age}_{count}" for count in counts for age in ("old", "new")])
    for row in pages(f"/v1/sealed-reports/{newest['sealed_report_id']}/difference", {}):
        both = [(row[age] or {}).get(count, 0) for count in counts for age in ("old", "new")]
        table.writerow([guarded(row.get(name) or "") for name in names] + both)
    return text.getvalue().encode()


def guarded(name):
    """A name that no spreadsheet takes for a formula. CSV that the service makes has this already."""
    return f"'{name}" if name.startswith(tuple("=+-@\t\r'")) else name


def with_amounts(text, column, price):
    """The CSV with an amount a row, in whole hundredths; half of one is rounded up."""
    priced = io.StringIO(newline="")
    rows = csv.DictReader(io.StringIO(text.decode(), newline=""))
    table = csv.DictWriter(priced, [*rows.fieldnames, "amount"])
    table.writeheader()
    total = decimal.Decimal(0)
    for row in rows:
        amount = decimal.Decimal(row[column]) * price / 60
        row["amount"] = amount.quantize(decimal.Decimal("0.01"), decimal.ROUND_HALF_UP)
        total += row["amount"]
        table.writerow(row)
    print(f"total amount {total}", file=sys.stderr)
    return priced.getvalue().encode()


def period(month):
    """The first days of a month, and of the next."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        raise argparse.ArgumentTypeError("must be a month such as 2026-10")
    year, number = int(month[:4]), int(month[5:])
    following = f"{year + 1:04}-01" if number == 12 else f"{year:04}-{number + 1:02}"
    return {"from": f"{month}-01", "to": f"{following}-01"}


def price(text):
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise argparse.ArgumentTypeError("must be a decimal number such as 0.0125")
    return decimal.Decimal(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("period", metavar="MONTH", type=period, help="such as 2026-10")
    parser.add_argument("--time-zone", default="UTC", help="whose month it is, such as Europe/Berlin")
    parser.add_argument("--group-by", default="domain", help="what is told apart: domain, app, stream, with commas between")
    parser.add_argument("--as-of", help="what was recorded later does not count; now when left out")
    parser.add_argument("--price-per-minute", type=price, help="adds a column `amount`")
    parser.add_argument("--column", default="push_seconds", choices=["push_seconds", "on_air_seconds", "confirmed_seconds"],
                        help="what is priced; with on_air_seconds, pushes of one stream that overlap count once")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--seal", action="store_true", help="keep the report, unless it may still change")
    what.add_argument("--corrections", action="store_true", help="what differs from the newest sealed one")
    parser.add_argument("--anyway", action="store_true", help="take it as it is, even if it may still change")
    arguments = parser.parse_args()
    if not os.environ.get("STREAMTALLY_TOKEN"):
        parser.error("STREAMTALLY_TOKEN is not set")

    asked = {**arguments.period, "time_zone": arguments.time_zone, "group_by": arguments.group_by}
    asked.update({"as_of": arguments.as_of} if arguments.as_of else {})
    # One row, for the totals and the moment; whatever is asked next is as of the same.
    report = ask_json("/v1/reports/push-duration", {**asked, "limit": 1})
    asked["as_of"] = report["as_of"]
    print(f"as of {report['as_of']}", file=sys.stderr)
    reasons = list(doubts(report))
    for reason in reasons:
        print(f"may still change: {reason}", file=sys.stderr)
    if arguments.seal and reasons and not arguments.anyway:
        print("not sealed; --anyway would", file=sys.stderr)
        return MAY_CHANGE
    if arguments.corrections:
        text = corrections(report)
    elif arguments.seal:
        text = seal(asked)
    else:
        text = ask("/v1/reports/push-duration", {**asked, "format": "csv"})
    if arguments.price_per_minute is not None and not arguments.corrections:
        text = with_amounts(text, arguments.column, arguments.price_per_minute)
    sys.stdout.buffer.write(text)
    return MAY_CHANGE if reasons and not arguments.anyway else 0


if __name__ == "__main__":
    sys.exit(main())
