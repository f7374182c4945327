"""The Site that serves a target, with what the settings say about it."""

from typing import Any

from sennit.serving.rooted import RootedResource
from sennit.serving.settings import SettingError, Settings
from sennit.serving.target import Target
from sennit.web._factory import LogFormatter
from sennit.web._limits import allLimits
from sennit.web._requestid import RequestIDs
from sennit.web._starting import Around, endAround
from sennit.web.accesslog import accessLogJSON, accessLogTemplate
from sennit.web.http import combinedLogFormatter, jsonLogFormatter
from sennit.web.resource import Resource
from sennit.web.server import Request, Site

# With --reload, what still runs has to end soon, or a developer waits for it.
_RELOAD_GRACE = 1.0
_EVERYBODY = ("0.0.0.0/0", "::/0", "unix")


class Application:
    """A target ready to be served: `site`, and what has to be done before and after serving."""

    def __init__(self, target: Target, settings: Settings) -> None:
        """Raises SettingError for settings that don't go with the target."""
        self.target = target
        self.site: Any = self._site_of(target, settings)
        self._limit(settings)
        self._log(settings)
        self._trust(settings)
        self._requests(settings)
        if settings.opentelemetry:
            self._observe()
        # The address is logged with the start of the whole server.
        self.site.noisy = False

    async def start_up(self) -> None:
        """Do what has to be done before the first request. Raises what keeps an application from starting."""
        around = Around(self.site.resource)
        await around.begin()
        # The site ends it, or `shut_down` does.
        self.site.around = around

    async def shut_down(self) -> None:
        """Do what has to be done after the last request."""
        await endAround(self.site)

    def _site_of(self, target: Target, settings: Settings) -> Any:
        if target.kind == "site":
            if settings.root_path:
                raise SettingError("--root-path is for applications and resources, and TARGET is a Site")
            return target.found
        resource = self._resource_of(target, settings)
        if settings.root_path:
            resource = RootedResource(settings.root_path, resource)
        return Site(resource)

    def _resource_of(self, target: Target, settings: Settings) -> Any:
        match target.kind:
            case "resource":
                return target.found
            case "directory":
                from sennit.serving._directory import directory_resource

                return directory_resource(target.found)
            case "asgi":
                from sennit.web.asgi import ASGIResource, Lifespan

                return ASGIResource(target.found, lifespan=Lifespan(target.found, mode=settings.lifespan))
            case "wsgi":
                return self._wsgi(target.found, settings)
        raise SettingError(f"{target} can't be served")

    def _wsgi(self, application: Any, settings: Settings) -> Resource:
        from sennit.internet import reactor
        from sennit.web.wsgi import WSGIResource

        if settings.wsgi_threads == 0:
            return WSGIResource(reactor, None, application)
        reactor.suggestThreadPoolSize(settings.wsgi_threads)
        several = settings.wsgi_threads > 1
        return WSGIResource(reactor, reactor.getThreadPool(), application, multithread=several)

    def _limit(self, settings: Settings) -> None:
        site = self.site
        limits = {limit.name: limit for limit in allLimits()}
        for wanted in settings.limit:
            name, equals, value = wanted.partition("=")
            if not equals or name not in limits:
                raise SettingError(f"--limit: NAME=VALUE was expected with a limit of a Site, not {wanted!r}")
            try:
                number = None if value.lower() == "none" else float(value)
                setattr(site, name, int(number) if number is not None and number.is_integer() else number)
            except (TypeError, ValueError) as mistake:
                raise SettingError(f"--limit: {wanted}: {mistake}") from None
        if settings.timeout_keep_alive is not None:
            site.timeOut = settings.timeout_keep_alive
        if settings.timeout_graceful_shutdown is not None:
            site.stopGrace = settings.timeout_graceful_shutdown
        elif settings.reload:
            site.stopGrace = _RELOAD_GRACE

    def _log(self, settings: Settings) -> None:
        site = self.site
        if not settings.access_log:
            site.logPath = None
            return
        # A Site with a log of its own keeps it, unless the settings say otherwise.
        if site.logPath is None or "access_log_file" in settings.given:
            site.logPath = settings.access_log_file
        if "access_log_format" in settings.given:
            site._logFormatter = _formatter(settings.access_log_format)

    def _trust(self, settings: Settings) -> None:
        site = self.site
        # A Site with proxies of its own keeps them, unless the settings say otherwise.
        if site.trustedProxies and "forwarded_allow_ips" not in settings.given:
            return
        try:
            site.trustedProxies = [
                network
                for name in settings.forwarded_allow_ips
                for network in (_EVERYBODY if name == "*" else (name,))
            ]
        except ValueError as mistake:
            raise SettingError(f"--forwarded-allow-ips: {mistake}") from None

    def _requests(self, settings: Settings) -> None:
        factory = self.site.requestFactory
        if not (isinstance(factory, type) and issubclass(factory, Request)):
            return
        if settings.limit_concurrency is not None:
            factory = _limited(factory, settings.limit_concurrency)
        if settings.request_id != "off":
            self.site.requestIDs = RequestIDs(accept=settings.request_id == "accept")
            factory = _identified(factory)
        self.site.requestFactory = factory

    def _observe(self) -> None:
        # A Site that has it already has it as the program wants it.
        if self.site.openTelemetry is None:
            from sennit.web.opentelemetry import OpenTelemetry

            self.site.openTelemetry = OpenTelemetry()


def _formatter(form: str) -> LogFormatter:
    try:
        if form in ("combined", "json"):
            return combinedLogFormatter if form == "combined" else jsonLogFormatter
        if form.startswith("json:"):
            return accessLogJSON(*form.removeprefix("json:").split(","))
        if "%" in form:
            return accessLogTemplate(form)
    except ValueError as mistake:
        raise SettingError(f"--access-log-format: {mistake}") from None
    raise SettingError(f"--access-log-format: combined, json or a template was expected, not {form!r}")


def _identified(base: type[Request]) -> type[Request]:
    """`base`, with the id of each request in its response."""

    class IdentifiedRequest(base):  # type: ignore[misc,valid-type]  # a class of the program's
        def process(self) -> None:
            self.id  # noqa: B018 - from now on there is one, in the response as well
            super().process()

    IdentifiedRequest.__name__ = IdentifiedRequest.__qualname__ = base.__name__
    return IdentifiedRequest


def _limited(base: type[Request], most: int) -> type[Request]:
    """`base`, refusing with 503 what comes while `most` requests are at work."""

    class LimitedRequest(base):  # type: ignore[misc,valid-type]  # a class of the program's
        def process(self) -> None:
            service = self.site.service if self.site is not None else None
            # This request is among those that are counted.
            if service is not None and service.active_requests > most:
                self.setHeader(b"Retry-After", b"1")
                self.render(self.site.errorResource(503))
            else:
                super().process()

    LimitedRequest.__name__ = LimitedRequest.__qualname__ = base.__name__
    return LimitedRequest
