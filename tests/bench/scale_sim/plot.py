#!/usr/bin/python3
"""Draws rows of scale_sim --json as an SVG: how much of the ideal speed is reached, by shards.

  plot.py ROWS.json > docs/scale.svg
"""
import json
import math
import sys

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 400, 60, 20, 50
COLOURS = {"sync": "#1f77b4", "bounded": "#2ca02c", "async": "#d62728"}
DASHES = ["", "7 4", "2 3", "9 3 2 3", "1 5"]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        rows = json.load(file)
    workers = sorted({row["workers"] for row in rows})
    most = max(row["shards"] for row in rows)

    def x(shards):
        return LEFT + (WIDTH - LEFT - 170) * math.log(shards) / math.log(most)

    def y(efficiency):
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - efficiency)

    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
          'font-family="sans-serif" font-size="12">\n'
          f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        print(f'<path d="M{LEFT} {y(share):.1f}H{x(most):.1f}" stroke="#ddd"/>'
              f'<text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for shards in sorted({row["shards"] for row in rows}):
        print(f'<text x="{x(shards):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{shards}'
              '</text>')
    print(f'<text x="{(LEFT + x(most)) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">shards</text>')
    at = TOP + 10
    for mode in [mode for mode in COLOURS if any(row["mode"] == mode for row in rows)]:
        for dash, count in zip(DASHES, workers):
            line = sorted((row["shards"], row["efficiency"]) for row in rows
                          if row["mode"] == mode and row["workers"] == count)
            style = f'stroke="{COLOURS[mode]}" stroke-width="2" stroke-dasharray="{dash}"'
            points = " ".join(f"{x(s):.1f},{y(e):.1f}" for s, e in line)
            print(f'<polyline points="{points}" fill="none" {style}/>')
            print(f'<path d="M{WIDTH - 160} {at}h30" {style}/>'
                  f'<text x="{WIDTH - 122}" y="{at + 4}">{mode}, {count} workers</text>')
            at += 20
    print("</svg>")


if __name__ == "__main__":
    main()
