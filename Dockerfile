# The programs that a run in a container needs, and the command colorizer: docs/prefect.md. The pipeline's own code is
# not in it, it comes as a clone; no data, no model.
FROM python:3.11-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system safe.directory '*'

# PyTorch's packages for CPUs. For NVIDIA GPUs: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# What a DVC remote needs: --build-arg REMOTE=s3, or ssh.
ARG REMOTE
WORKDIR /opt/colorizer
COPY requirements*.txt constraints.txt ./
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" -c constraints.txt -r requirements.txt \
    ${REMOTE:+-r "requirements-$REMOTE.txt"}

COPY pyproject.toml README.md LICENSE ./
COPY colorizer colorizer
RUN pip install --no-cache-dir --no-deps .

# Whoever runs it, also after --user, has a name and a home, a folder to work in, and one for a volume.
RUN useradd --uid 1000 worker && install --directory --mode 1777 /home/worker /work /keep
# A run has read its settings before prefect.toml comes, with the clone.
ENV DO_NOT_TRACK=1 HOME=/home/worker USER=worker PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30
USER 1000
WORKDIR /work

# No ENTRYPOINT: a Kubernetes pool gives the command of a run as arguments.
CMD ["colorizer", "--help"]
