# The components of Referral Streams, without the Kafka and Postgres that `referrals up` would start: those are services.
FROM python:3.11-slim AS build
COPY requirements/components.txt /tmp/components.txt
RUN python -m venv /venv && \
    /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/components.txt

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin referrals && \
    install --directory --owner=10001 --mode=0700 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
# Signals reach Python itself. -P keeps the current directory off the import path.
ENTRYPOINT ["python", "-P", "-m", "commands"]
CMD ["--help"]
