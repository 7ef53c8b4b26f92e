"""Draws overview.svg: what happens to audio and events on their way to the service and back."""

from pathlib import Path

BOX = (
    '<rect x="{x}" y="{y}" width="{w}" height="58" rx="8" class="{kind}"/>'
    '<text x="{mid}" y="{top}" class="name">{name}</text>'
    '<text x="{mid}" y="{low}" class="what">{what}</text>'
)
ARROW = '<path d="M{x1} {y1}H{x2}" class="arrow" marker-end="url(#head)"/>'
WIDTH = 880


def box(x: int, y: int, w: int, name: str, what: str, kind: str) -> str:
    mid = x + w // 2
    return BOX.format(
        x=x, y=y, w=w, mid=mid, top=y + 25, low=y + 44, name=name, what=what, kind=kind
    )


def row(y: int, leftwards: bool, boxes: list[tuple[int, str, str, str]]) -> str:
    parts, x = [], 20
    for index, (width, name, what, kind) in enumerate(boxes):
        parts.append(box(x, y, width, name, what, kind))
        if index + 1 < len(boxes):
            ends = (x + width + 26, x + width + 4) if leftwards else (x + width + 2, x + width + 24)
            parts.append(ARROW.format(x1=ends[0], y1=y + 29, x2=ends[1]))
        x += width + 30
    return "".join(parts)


CAPTURE = [
    (120, "microphone", "any rate, 1-8 ch", "outside"),
    (190, "CaptureEncoder", "downmix, resample, base64", "rust"),
    (150, "uplink", "bounded, in order", "rust"),
    (140, "engine", "TLS, websocket", "rust"),
    (120, "Voice Live", "or the simulator", "outside"),
]
PLAYBACK = [
    (120, "speaker", "any rate, 1-8 ch", "outside"),
    (190, "PlaybackBuffer", "counts what is heard", "rust"),
    (150, "downlink", "audio, barge-in", "rust"),
    (140, "engine", "TLS, websocket", "rust"),
    (120, "Voice Live", "or the simulator", "outside"),
]
EVENTS = [
    (120, "your code", "handlers, tools", "outside"),
    (190, "protocol", "turns, texts, tool calls", "python"),
    (150, "inbox", "all but audio", "rust"),
    (140, "engine", "TLS, websocket", "rust"),
    (120, "Voice Live", "or the simulator", "outside"),
]

SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 300" font-family="sans-serif">
<title>Audio and events on their way to the service and back</title>
<style>:root{{--paper:#fff;--ink:#20242c;--soft:#555c68;--arrow:#444}}
.rust{{fill:#fbe9dd;stroke:#c8622a}}.python{{fill:#e4eefb;stroke:#2f6fb5}}.outside{{fill:#f2f2f2;stroke:#777}}
@media (prefers-color-scheme:dark){{:root{{--paper:#1c2027;--ink:#eceff4;--soft:#a9b2bf;--arrow:#a9b2bf}}
.rust{{fill:#43291a;stroke:#e08a55}}.python{{fill:#1b3350;stroke:#6aa5e4}}.outside{{fill:#2a2f38;stroke:#8a919c}}}}
.name{{font-size:15px;font-weight:600;text-anchor:middle;fill:var(--ink)}}
.what{{font-size:11.5px;text-anchor:middle;fill:var(--soft)}}.key{{font-size:12px;fill:var(--soft)}}
.arrow{{stroke:var(--arrow);stroke-width:2;fill:none}}.head{{fill:var(--arrow)}}</style>
<defs><marker id="head" markerWidth="8" markerHeight="8" refX="5" refY="3" orient="auto">
<path d="M0 0L6 3L0 6z" class="head"/></marker></defs>
<rect width="{WIDTH}" height="300" rx="8" style="fill:var(--paper)"/>
{row(18, False, CAPTURE)}
{row(100, True, PLAYBACK)}
{row(182, True, EVENTS)}
<rect x="20" y="266" width="14" height="14" class="rust"/>
<text x="40" y="278" class="key">Rust: one engine for all sessions of the process</text>
<rect x="340" y="266" width="14" height="14" class="python"/>
<text x="360" y="278" class="key">Python, asyncio: wakes for events, never for audio alone</text>
</svg>
"""

if __name__ == "__main__":
    Path(__file__).with_name("overview.svg").write_text(SVG, encoding="utf-8")
