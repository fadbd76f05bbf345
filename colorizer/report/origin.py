"""Sentences about where a model comes from, for the score card, the report and the model card."""

from colorizer.core.digests import fingerprint


def origin_of(metadata: dict, *, epochs: int, tested: int, validated: int) -> list[str]:
    """Say how the model was chosen among the `epochs`, what it was fine-tuned from, if anything, and by what training.

    `metadata` are those of the model's file; `tested` and `validated` are numbers of images.
    """
    return [
        f"{tested} test images. {_why_this_epoch(metadata, epochs, validated)}",
        *_fine_tuned_from(metadata["ancestry"]),
        _trained_by(metadata["training"]),
    ]


def _why_this_epoch(metadata: dict, epochs: int, validated: int) -> str:
    criterion, scores = metadata["training"]["params"]["train.monitor"], metadata["scores"]
    if not scores:
        return f"The model is that of epoch {metadata['epoch']} of {epochs}, the last: there are no validation images."
    return (
        f"The model is that of epoch {metadata['epoch']} of {epochs}, chosen by {criterion.replace('_', ' ')}: "
        f"{scores[criterion]:.3f} on {validated} validation images."
    )


def _fine_tuned_from(ancestry: list[dict]) -> list[str]:
    """A sentence about the models that the training began from, the latest first; none if the weights were random."""
    if not ancestry:
        return []
    names = [f"{model['name']} (epoch {model['epoch']}, sha256 {model['sha256'][:12]})" for model in ancestry]
    return ["Fine-tuned from " + ", which was fine-tuned from ".join(names) + "."]


def _trained_by(facts: dict) -> str:
    environment = facts["environment"]
    return (
        f"Training {fingerprint(facts)}: {environment['device']} ({environment['kind']}), {environment['precision']}, "
        f"threads {environment['threads']}, processes {environment['processes']}, PyTorch {environment['torch']}, "
        f"NumPy {environment['numpy']}."
    )
