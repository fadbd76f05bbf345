"""A person in the loop: the form of the run's page, answered over the API as the page does."""

import re

from ruamel.yaml import YAML

from tests.support.disturbed import ask_for_training, wait_until
from tests.support.rebuilding import REBUILD, run_id


def test_answers_reach_the_training_and_params_as_those_of_the_terminal_do(committed, prefect):
    ask_for_training(committed)
    options = ("--review", "--review-minutes", "0.1")
    process = committed.start(*REBUILD, *options, **prefect.environment)

    def wait_for_question(epoch: int) -> str:
        """The id of the run that waits for an answer about this epoch."""
        wait_until(lambda: f"epoch {epoch} of 4: L1" in committed.printed or process.poll() is not None)
        run = run_id(committed.printed)
        wait_until(lambda: prefect.run(run)["state"]["type"] == "PAUSED", pause=0.2)
        return run

    run = wait_for_question(1)
    keys = prefect.run(run)["state"]["state_details"]["run_input_keyset"]
    form = prefect.ask(f"flow_runs/{run}/input/{keys['schema']}", method="GET")
    assert list(form["properties"]) == ["keep_checkpoint", "learning_rate", "stop_here"]
    assert form["properties"]["learning_rate"]["default"] == 0.0006
    description = prefect.ask(f"flow_runs/{run}/input/{keys['description']}", method="GET")
    assert re.search(
        r"epoch 1 of 4: L1 [\d.]+, validation combined score [\d.]+\n\n!\[.*\]\(data:image/jpeg;base64,", description
    )
    wrong = {"keep_checkpoint": True, "learning_rate": -1, "stop_here": False}
    refused = prefect.ask(f"flow_runs/{run}/resume", {"run_input": wrong})
    assert refused["status"] == "REJECT"
    assert "-1 is less than or equal to the minimum of 0" in refused["details"]["reason"]
    answer = {"keep_checkpoint": False, "learning_rate": 0.001, "stop_here": False}
    assert prefect.ask(f"flow_runs/{run}/resume", {"run_input": answer})["status"] == "ACCEPT"

    wait_until(lambda: "epoch 2: nobody answered in 0.1 minutes; going on unchanged" in committed.printed)

    wait_for_question(3)
    answer = {"keep_checkpoint": True, "learning_rate": 0.001, "stop_here": True}
    prefect.ask(f"flow_runs/{run}/resume", {"run_input": answer})
    assert process.wait() == 0
    assert YAML(typ="safe").load(committed.path / "params.yaml")["train"]["decisions"] == [
        {"epoch": 1, "save": False, "learning_rate": 0.001, "stop": False},
        {"epoch": 2, "save": True, "stop": False},
        {"epoch": 3, "save": True, "stop": True},
    ]
    assert not (committed.path / "models/checkpoints/epoch-0001.safetensors").exists()
    assert "decisions" in committed.git("diff", "dvc.lock")
    assert "didn't change" in committed.dvc("repro", "train").stdout
