# Two stages: wheels are built with compilers at hand, the image that runs has neither compilers nor pip's cache.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements/run.lock requirements/run.lock
RUN python -m venv /opt/justchat && /opt/justchat/bin/pip install --no-cache-dir -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY actors actors
COPY storage storage
COPY justchat justchat
RUN /opt/justchat/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin justchat \
 && mkdir /data && chown justchat:justchat /data && chmod 700 /data
COPY --from=build /opt/justchat /opt/justchat
ENV PATH=/opt/justchat/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    JUSTCHAT_HOST=0.0.0.0 \
    JUSTCHAT_DATABASE=sqlite:////data/justchat.db
USER justchat
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('JUSTCHAT_PORT', os.environ.get('PORT', '8000')) + '/health/ready', timeout=2)"]
ENTRYPOINT ["justchat"]
CMD ["serve"]
