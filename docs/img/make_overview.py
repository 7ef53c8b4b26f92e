"""Draws overview.svg: what happens to audio on its way to the service and back."""

from pathlib import Path

BOX = (
    '<rect x="{x}" y="{y}" width="{w}" height="58" rx="8" fill="{fill}" stroke="{line}"/>'
    '<text x="{mid}" y="{top}" class="name">{name}</text>'
    '<text x="{mid}" y="{low}" class="what">{what}</text>'
)
ARROW = '<path d="M{x1} {y1}H{x2}" class="arrow" marker-end="url(#head)"/>'
RUST, PYTHON, OUTSIDE = ("#fbe9dd", "#c8622a"), ("#e4eefb", "#2f6fb5"), ("#f2f2f2", "#777777")


def box(x: int, y: int, w: int, name: str, what: str, colour: tuple[str, str]) -> str:
    mid = x + w // 2
    fill, line = colour
    return BOX.format(
        x=x, y=y, w=w, mid=mid, top=y + 25, low=y + 44, name=name, what=what, fill=fill, line=line
    )


def row(y: int, leftwards: bool, boxes: list[tuple[int, str, str, tuple[str, str]]]) -> str:
    parts, x = [], 20
    for index, (width, name, what, colour) in enumerate(boxes):
        parts.append(box(x, y, width, name, what, colour))
        if index + 1 < len(boxes):
            ends = (x + width + 26, x + width + 4) if leftwards else (x + width + 2, x + width + 24)
            parts.append(ARROW.format(x1=ends[0], y1=y + 29, x2=ends[1]))
        x += width + 30
    return "".join(parts)


CAPTURE = [
    (110, "microphone", "any rate, 1-8 ch", OUTSIDE),
    (200, "CaptureEncoder", "downmix, resample, base64", RUST),
    (150, "uplink", "bounded, in order", PYTHON),
    (150, "websocket", "azure-ai-voicelive", PYTHON),
    (110, "Voice Live", "or the simulator", OUTSIDE),
]
PLAYBACK = [
    (110, "speaker", "any rate, 1-8 ch", OUTSIDE),
    (200, "PlaybackBuffer", "lock-free, counts what is heard", RUST),
    (150, "protocol", "turns, barge-in, texts", PYTHON),
    (150, "websocket", "one reader", PYTHON),
    (110, "Voice Live", "or the simulator", OUTSIDE),
]

SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 216" font-family="sans-serif">
<title>Audio on its way to the service and back</title>
<style>.name{{font-size:15px;font-weight:600;text-anchor:middle;fill:#222}}
.what{{font-size:11.5px;text-anchor:middle;fill:#555}}.key{{font-size:12px;fill:#555}}
.arrow{{stroke:#444;stroke-width:2;fill:none}}</style>
<defs><marker id="head" markerWidth="8" markerHeight="8" refX="5" refY="3" orient="auto">
<path d="M0 0L6 3L0 6z" fill="#444"/></marker></defs>
<rect width="880" height="216" fill="#ffffff"/>
{row(16, False, CAPTURE)}
{row(104, True, PLAYBACK)}
<rect x="20" y="186" width="14" height="14" fill="{RUST[0]}" stroke="{RUST[1]}"/>
<text x="40" y="198" class="key">Rust</text>
<rect x="110" y="186" width="14" height="14" fill="{PYTHON[0]}" stroke="{PYTHON[1]}"/>
<text x="130" y="198" class="key">Python, asyncio</text>
</svg>
"""

if __name__ == "__main__":
    Path(__file__).with_name("overview.svg").write_text(SVG, encoding="utf-8")
