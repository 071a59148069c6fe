"""Draw the pictures of the README from the files that ``oddgan demo`` writes to demo-output.

python docs/make_pictures.py
"""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.text import Text
from selenium import webdriver

from oddgan import load
from oddgan.datasets import load as load_dataset

IMAGES = Path(__file__).parent / "images"
SIDE, GAP = 72, 6


def digits() -> None:
    """Draw the ten most anomalous test digits, their reconstructions, and the differences."""
    model = load("demo-output/vae.oddgan")
    scores = np.genfromtxt("demo-output/vae-scores.csv", delimiter=",", skip_header=1)
    top_rows = scores[np.argsort(-scores[:, 1])[:10], 0].astype(int)
    dataset = load_dataset("digits")
    X = dataset.X[top_rows]
    print("labels of the ten most anomalous digits:", dataset.y[top_rows])
    residual = model.explain(X).anomaly_map
    rows = [1 - X, 1 - np.clip(model.reconstruct(X), 0, 1), residual / residual.max()]
    step = SIDE + GAP
    sheet = Image.new("RGB", (10 * step + GAP, 3 * step + GAP), "white")
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            grey = (255 * tile).astype(np.uint8)
            rgb = np.stack([grey] * 3, axis=-1)
            if i == 2:  # white to red
                rgb = np.stack([np.full_like(grey, 255), 255 - grey, 255 - grey], axis=-1)
            picture = Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.NEAREST)
            sheet.paste(picture, (GAP + j * step, GAP + i * step))
    sheet.save(IMAGES / "digits.png", optimize=True)


def demo() -> None:
    """Draw the output of the demonstration."""
    command = [sys.executable, "-m", "oddgan", "demo", "--quiet"]
    process = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"}
    )
    console = Console(record=True, width=80, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(Text("$ oddgan demo --quiet\n" + process.stdout))
    console.save_svg(str(IMAGES / "demo.svg"), title="oddgan")


def report() -> None:
    """Photograph the report of the demonstration in Chromium, in light and in dark."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for option in ("--headless=new", "--hide-scrollbars", "--no-sandbox"):
        options.add_argument(option)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    shots = []
    for theme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": theme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": 980, "height": 1440, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(Path("demo-output/vae-report.html").absolute().as_uri())
        shots.append(Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB"))
    driver.quit()
    sheet = Image.new("RGB", (2 * 980 + 20, 1440), "#808890")
    for i, shot in enumerate(shots):
        sheet.paste(shot, (i * 1000, 0))
    small = sheet.resize((1370, 996), Image.Resampling.LANCZOS).quantize(160, dither=0)
    small.save(IMAGES / "report.png", optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    demo()
    digits()
    report()
