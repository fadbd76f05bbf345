"""Where the stages keep their files, relative to the project's folder. dvc.yaml names the same paths."""

from pathlib import Path

LOCATED = Path("data/located.txt")
INVENTORY = Path("data/inventory.csv")
LAB_STORE = Path("data/lab.npy")
NORMALIZATION, AB_HISTOGRAM = Path("data/normalization.json"), Path("data/ab_histogram.csv")
TRAIN_IMAGES, VALIDATION_IMAGES = Path("data/split/train.csv"), Path("data/split/validation.csv")
TEST_IMAGES = Path("data/split/test.csv")
ENCODED_IMAGES = Path("data/encoded.npy")

PRETRAINED = Path("pretrained")
START_MODEL, START_NAME = Path("models/start.safetensors"), Path("models/start.json")
MODEL, CHECKPOINTS = Path("models/generator.safetensors"), Path("models/checkpoints")
MODEL_CARD, CARD_EXAMPLES = Path("models/README.md"), Path("models/examples.png")

HISTORY, SAMPLES = Path("reports/history.csv"), Path("reports/samples")
EVALUATION = Path("reports/evaluation")
SCORE_CARD = EVALUATION / "score_card.txt"
METRICS = Path("metrics.json")

SCRATCH = Path("scratch")  # unfinished trainings; not an output
LOGS = Path("logs")  # with clock times and hosts; not an output
