# The components of Referral Streams, without the Kafka and Postgres that `referrals up` would start: those are services.
# Less than 200 MB, base and all; what is left out and how it is measured: docs/containers.md. Any builder will do.
FROM python:3.11-slim AS build
# 1: with what sends traces to a collector, 6 MB more (docs/operate/README.md).
ARG TRACES=0
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends binutils
COPY requirements/components.txt requirements/traces.txt /tmp/
# pip stays outside. Wheels bring debugging symbols (34 MB), sample names of every country, of which one is imported, and
# what colours the source of every language in a traceback, of which ours is one.
RUN python3 -m venv /pip && python3 -m venv --without-pip /venv && \
    /pip/bin/pip --python /venv/bin/python install --no-cache-dir --no-compile --require-hashes --only-binary :all: \
        --requirement /tmp/components.txt $(test "$TRACES" = 0 || echo --requirement /tmp/traces.txt) && \
    find /venv -name '*.so*' -type f -exec strip --strip-debug {} + && \
    find /venv/lib/python3.11/site-packages/faker/providers -mindepth 2 -maxdepth 2 -type d ! -name 'en_US' ! -name '__pycache__' \
        -exec rm -r {} + && \
    find /venv/lib/python3.11/site-packages/pygments/lexers -type f ! -name '__init__.py' ! -name '_mapping.py' ! -name 'python.py' \
        -delete && \
    rm -r /venv/lib/python3.11/site-packages/lxml/objectify.* /venv/lib/python3.11/site-packages/lxml/isoschematron && \
    find /venv -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' \) -delete
WORKDIR /app
COPY . .
RUN PYTHONPATH=/app /venv/bin/python -P requirements/bytecode.py /of-python.txt \
        commands edges models operations process proof sinks streams && \
    rm -r requirements

# What of the base nobody needs who runs one Python program and installs nothing: package managers, perl, an administrator's
# programs, the tables of character sets. dpkg's list of what is installed stays, for who looks for known faults in images.
FROM python:3.11-slim AS base
COPY --from=build /of-python.txt /of-python.txt
RUN groupadd --system --gid 10001 referrals && \
    useradd --system --uid 10001 --gid referrals --no-create-home --shell /usr/sbin/nologin referrals && \
    rm -rf /usr/bin/apt* /usr/lib/apt /usr/lib/*-linux-gnu/libapt-* /var/lib/apt /var/cache/* /usr/bin/dpkg* \
        /usr/bin/perl* /usr/lib/*-linux-gnu/perl* /usr/share/perl* /usr/lib/*-linux-gnu/gconv \
        /usr/share/doc /usr/share/info /usr/share/man /usr/share/locale /usr/share/bash-completion /usr/share/python-wheels /var/log/* \
        /usr/share/zoneinfo/right /usr/share/zoneinfo/posix /var/lib/dpkg/info /usr/lib/*-linux-gnu/libdb-* \
        /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/site-packages/setuptools* && \
    for lib in /usr/local/lib/python3.* /usr/lib/python3.*; do \
        rm -rf $lib/ensurepip $lib/idlelib $lib/lib2to3 $lib/pydoc_data $lib/tkinter $lib/turtledemo $lib/config-3.* $lib/test; \
        find $lib -path '*/dist-packages' -prune -o -path '*/site-packages' -prune -o -name __pycache__ -exec rm -r {} +; \
    done && \
    python3 -m compileall -q --invalidation-mode unchecked-hash -i /of-python.txt && rm /of-python.txt && \
    find /usr/sbin -type f ! -name 'ldconfig*' -delete && \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +

FROM scratch
COPY --from=base / /
COPY --from=build /venv /venv
COPY --from=build /app /app
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data && chmod 1777 /tmp
WORKDIR /app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "-P", "-m", "process.healthcheck"]
# Signals reach Python itself. -P keeps the current directory off the import path.
ENTRYPOINT ["python", "-P", "-m", "commands"]
CMD ["--help"]
