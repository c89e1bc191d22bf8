"""The page that says what to try next."""

from html import escape
from typing import TYPE_CHECKING

from libs.kernel.calendar import SHANGHAI

if TYPE_CHECKING:
    from libs.runtime.house import House

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>citycard 市民卡</title>
<style>
  :root {{ color-scheme: light dark; --ink: #1c2733; --soft: #5b6b7b; --line: #d8dfe6; --paper: #fff; --tint: #f4f7f9;
          --seal: #b3362b; }}
  @media (prefers-color-scheme: dark) {{
    :root {{ --ink: #e6ebf0; --soft: #9aa8b5; --line: #33404c; --paper: #161d24; --tint: #1e2730; --seal: #e2725b; }} }}
  body {{ font: 16px/1.6 system-ui, "Noto Sans CJK SC", sans-serif; color: var(--ink); background: var(--paper);
         max-width: 46rem; margin: 4rem auto; padding: 0 1.5rem; }}
  h1 {{ font-size: 2rem; font-weight: 650; margin: 0; letter-spacing: -0.01em; }}
  h1 span {{ color: var(--seal); font-weight: 400; margin-left: .4rem; }}
  h2 {{ font-size: 1rem; margin: 2.4rem 0 .4rem; color: var(--soft); font-weight: 600; }}
  p {{ margin: .4rem 0 0; }}
  pre {{ background: var(--tint); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem;
        overflow-x: auto; font: 13px/1.55 ui-monospace, monospace; }}
  a {{ color: inherit; text-decoration-color: var(--seal); text-underline-offset: 3px; }}
  dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.2rem; margin: .6rem 0 0; }}
  dt {{ font-weight: 600; }} dd {{ margin: 0; color: var(--soft); }}
</style>
<h1>citycard<span>市民卡</span></h1>
<p>The open platform on which a city issues, runs and stops its citizen cards. It runs, and keeps what it is told.</p>

<h2>Look around</h2>
<dl>
  <dt><a href="/docs">/docs</a></dt><dd>every route, to read and to try</dd>
  {pages}
  <dt><a href="/metrics">/metrics</a></dt><dd>figures for Prometheus</dd>
  <dt><a href="/health/ready">/health/ready</a></dt><dd>whether this process can work</dd>
  <dt><a href="/v1/city-time">/v1/city-time</a></dt><dd>city time: {now}</dd>
</dl>

<h2>Try next: register a person, as a clerk of {city} would</h2>
<pre>TOKEN=$(.venv/bin/citycard token --role clerk --city {code} --outlet {outlet})
curl -s {base}/v1/persons \\
  -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: my-first" \\
  -H "Content-Type: application/json" \\
  -d '{{"document": {{"kind": "id_card", "number": "330902198512310024"}},
       "name": "林小舟", "mobile": "13800005678", "language": "zh"}}'</pre>

<h2>Or watch one card live</h2>
<pre>make demo</pre>

<h2>In this process</h2>
<dl>{services}</dl>
</html>
"""


def start_page(house: "House") -> str:
    """HTML without anything from elsewhere."""
    platform = house.platform
    city = next(pack for pack in reversed(list(platform.packs)))
    services = "".join(
        f"<dt>{escape(service.name)}</dt><dd>{escape(promise(service.name))}</dd>" for service in house.services
    )
    paths = {getattr(route, "path", "") for service in house.services for route in service.router.routes}
    pages = (
        '<dt><a href="/notices">/notices</a></dt><dd>the holders\' telephones, as the simulated operator sees them</dd>'
    )
    return _PAGE.format(
        pages=pages if "/notices" in paths else "",
        now=f"{platform.city.now().astimezone(SHANGHAI):%a %d %b %Y %H:%M}",
        city=escape(city.title["en"]),
        code=city.code,
        outlet=next(iter(city.outlets)),
        base=f"http://{platform.settings.host}:{platform.settings.port}",
        services=services,
    )


def promise(service: str) -> str:
    """The sentence with which a service introduces itself."""
    import importlib

    return (importlib.import_module(f"services.{service}").__doc__ or "").strip()
