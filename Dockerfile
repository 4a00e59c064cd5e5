# syntax=docker/dockerfile:1
# The image of pgproof: the command line, the API and the worker, with the PostgreSQL clients of six major versions.
#
#   docker build --tag pgproof .
#   docker build --tag pgproof:try --build-arg REQUIREMENTS=embedded .    # with an embedded server for restore tests
#
# The official image is the base of both stages: its Debian has the PostgreSQL project's own repository configured, and
# a virtual environment needs the very interpreter that it was made with.
ARG BASE=postgres:18-trixie

FROM ${BASE} AS build
# hadolint ignore=DL3008 # Debian keeps one version of each in a release, the newest fix
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/ requirements/
# Two environments: what builds does not run, and what runs has neither pip nor a compiler.
RUN python3 -m venv tools \
    && tools/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement requirements/build.txt
ARG REQUIREMENTS=runtime
RUN python3 -m venv --without-pip /opt/pgproof \
    && tools/bin/pip --python /opt/pgproof/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement "requirements/${REQUIREMENTS}.txt"
COPY LICENSE README.md pyproject.toml ./
COPY src/ src/
RUN tools/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation \
        --wheel-dir wheels . \
    && tools/bin/pip --python /opt/pgproof/bin/python install --no-cache-dir --disable-pip-version-check --no-deps \
        wheels/*.whl

FROM ${BASE}
# A client older than a server cannot dump it, and of the same major version is best: one for each that is supported.
ARG POSTGRESQL_CLIENTS="postgresql-client-13 postgresql-client-14 postgresql-client-15 postgresql-client-16 postgresql-client-17 postgresql-client-18"
# hadolint ignore=DL3008,SC2086 # as above; the clients are several words
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 tini tzdata ${POSTGRESQL_CLIENTS} \
    && rm -rf /var/lib/apt/lists/*
# Numbers that do not change with the base: volumes outlive images. Only the two volumes belong to this user.
RUN groupadd --gid 10001 pgproof \
    && useradd --uid 10001 --gid pgproof --home-dir /var/lib/pgproof --no-create-home --shell /usr/sbin/nologin pgproof \
    && install --directory --owner pgproof --group pgproof --mode 0700 /var/lib/pgproof /backups
COPY --from=build /opt/pgproof /opt/pgproof

ARG VERSION=0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="pgproof" \
      org.opencontainers.image.description="PostgreSQL backups, proven by restoring them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/postgres:18-trixie" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

ENV PATH="/opt/pgproof/bin:${PATH}" \
    HOME=/var/lib/pgproof \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BACKUP_HOME=/var/lib/pgproof \
    BACKUP_DIR=/backups \
    BACKUP_LOG_FORMAT=json

# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/pgproof
VOLUME ["/var/lib/pgproof", "/backups"]
EXPOSE 8000
# The base says SIGINT, which is right for a server of PostgreSQL.
STOPSIGNAL SIGTERM
# For the default command. Whoever runs `pgproof worker` says `pgproof health` instead, as docker-compose.prod.yml does.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["pgproof", "health", "--api", "http://127.0.0.1:8000"]
# tini: tools whose parent died belong to nobody, and somebody must reap them.
ENTRYPOINT ["/usr/bin/tini", "--", "pgproof"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
