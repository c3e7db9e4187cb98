"""A sales report over sales.csv, which is deployed with this file.

Event (JSON, all optional):
    {"seconds": 20,        spread the work over so much time, to have something to watch
     "region": "north",    only this region
     "fail": true}         raise an error half way

Result: totals by month, region and product, the best day, and the orders that stand out.
"""
import csv
import os
import statistics
import time

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sales.csv")


def read_orders(region):
    with open(DATA, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if region and row["region"] != region:
                continue
            units = int(row["units"])
            yield {
                "date": row["date"],
                "month": row["date"][:7],
                "region": row["region"],
                "product": row["product"],
                "units": units,
                "revenue": units * float(row["unit_price"]),
            }


def total_by(orders, member):
    totals = {}
    for order in orders:
        totals[order[member]] = totals.get(order[member], 0.0) + order["revenue"]
    return {name: round(total, 2) for name, total in sorted(totals.items())}


def outliers(orders):
    """Orders more than four standard deviations above the mean of their product."""
    found = []
    for product in sorted({order["product"] for order in orders}):
        units = [order["units"] for order in orders if order["product"] == product]
        if len(units) < 3:
            continue
        limit = statistics.mean(units) + 4 * statistics.pstdev(units)
        found += [{key: order[key] for key in ("date", "region", "product", "units")}
                  for order in orders if order["product"] == product and order["units"] > limit]
    return found


def main(event, context):
    event = event if isinstance(event, dict) else {}
    seconds = float(event.get("seconds", 0))
    progress = getattr(context, "progress", None)
    orders = list(read_orders(event.get("region")))
    if not orders:
        raise ValueError(f"no orders in region {event.get('region')!r}")
    months = sorted({order["month"] for order in orders})
    print(f"report over {len(orders)} orders, {months[0]} to {months[-1]}, "
          f"by process {os.getpid()}", flush=True)

    by_month = {}
    for number, month in enumerate(months, start=1):
        begin = time.monotonic()
        of_month = [order for order in orders if order["month"] == month]
        by_month[month] = {
            "orders": len(of_month),
            "units": sum(order["units"] for order in of_month),
            "revenue": round(sum(order["revenue"] for order in of_month), 2),
            "products": total_by(of_month, "product"),
        }
        if event.get("fail") and number > len(months) // 2:
            raise RuntimeError(f"asked to fail in {month}")
        time.sleep(max(0.0, seconds / len(months) - (time.monotonic() - begin)))
        print(f"[{number}/{len(months)}] {month}: {len(of_month)} orders, "
              f"revenue {by_month[month]['revenue']:.2f}", flush=True)
        if callable(progress):
            progress(100 * number / len(months), f"month {number} of {len(months)}")

    by_day = total_by(orders, "date")
    best_day = max(by_day, key=by_day.get)
    print("done", flush=True)
    return {
        "orders": len(orders),
        "revenue": round(sum(order["revenue"] for order in orders), 2),
        "by_region": total_by(orders, "region"),
        "by_product": total_by(orders, "product"),
        "by_month": by_month,
        "best_day": {"date": best_day, "revenue": by_day[best_day]},
        "outliers": outliers(orders),
    }


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(main(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}, None), indent=2))
