"""Write the table of scores in README.md from the card of the shipped model.

    python docs/score_table.py

The numbers are those that training wrote into the model file, on images of cells that the models
of its cross-validation never saw; ``virtualstain models info NAME`` prints them too.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from napari_virtualstain.models import load_model

README = Path(__file__).resolve().parents[1] / "README.md"
MODEL = "mito-h9c2"
SCORES = {
    "pearson": "Pearson",
    "bandpass_pearson": "band-pass Pearson",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "mask_iou": "mask IoU",
}
METHODS = {
    "virtual stain": f"**`{MODEL}`**",
    "bright-field texture": "texture of the bright-field",
    "bright-field": "bright-field itself",
    "best constant": "best constant",
}


def table() -> str:
    """Return the table as Markdown, a row a method."""
    lines = [f"| | {' | '.join(SCORES.values())} |", f"|---|{'--:|' * len(SCORES)}"]
    scores = load_model(MODEL).card.scores
    for method, name in METHODS.items():
        if method in scores:
            cells = [_number(scores[method].get(score), score) for score in SCORES]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(summary: Any, score: str) -> str:
    mean = None if summary is None else summary["mean"]
    if mean is None or math.isnan(mean):
        return "–"
    return f"{mean:.1f} dB" if score == "psnr" else f"{mean:.2f}"


def main() -> None:
    """Rewrite the part of the README between the two marks."""
    text = README.read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- scores.*?-->\n).*?(\n<!-- end of scores -->)", re.DOTALL)
    README.write_text(marked.sub(rf"\g<1>\n{table()}\n\g<2>", text), encoding="utf-8")


if __name__ == "__main__":
    main()
