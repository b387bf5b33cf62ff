# Leadline without models: `leadline models pull` puts them into the volume /data. It has not been
# tried with a container engine yet.
# hadolint global ignore=DL3008
# Debian drops the versions that a pin would name as soon as it has fixed them.
FROM python:3.12-slim-bookworm AS build
# llama.cpp and the attention kernels are compiled here.
RUN apt-get update \
    && apt-get install --no-install-recommends -y build-essential cmake git \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python -m venv /opt/leadline \
    && /opt/leadline/bin/pip install --no-cache-dir -c constraints.txt '.[api,mcp]'

FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --no-install-recommends -y g++ libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 leadline \
    && install -d -o leadline -g leadline -m 0700 /data
COPY --from=build /opt/leadline /opt/leadline
ENV PATH=/opt/leadline/bin:$PATH LEADLINE_HOME=/data
USER 10001
WORKDIR /home/leadline
VOLUME /data
EXPOSE 8321
ENTRYPOINT ["leadline"]
CMD ["--help"]
