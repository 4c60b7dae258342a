"""Which proxy stands between: by the table of golang.org/x/net/http/httpproxy's own tests, and what it documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import ConfigError
from k8s_tuning.proxies import place_of, proxy_for

GO_NO_PROXY = (
    "foobar.com, .barbaz.net, *.quux.org, bücher.example, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, "
    "2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64, only.port:81, :82, 10.9/8, *x"
)
GO_HOSTS = [
    ("localhost", False),
    ("127.0.0.1", False),
    ("127.0.0.2", False),
    ("[::1]", False),
    ("[::2]", True),
    ("192.168.1.1", False),
    ("192.168.1.2", True),
    ("192.168.1.2:81", False),
    ("192.168.1.3", False),
    ("192.168.1.4", True),
    ("10.0.0.2", False),
    ("10.0.0.4", True),
    ("10.9.1.1", True),
    ("[2001:db8::52:0:1]", False),
    ("[2001:db8::52:0:2]", True),
    ("[2001:db8::52:0:2]:443", False),
    ("[2001:db8::52:0:3]", False),
    ("[2002:db8:a::123]", False),
    ("[fe80::424b:c8be:1643:a1b6]", True),
    ("barbaz.net", True),
    ("www.barbaz.net", False),
    ("quux.org", True),
    ("a.quux.org", False),
    ("foobar.com", False),
    ("FOOBAR.com", False),
    ("www.foobar.com", False),
    ("foofoobar.com", True),
    ("baz.com", True),
    ("localhost.net", True),
    ("local.localhost", True),
    ("barbarbaz.net", True),
    ("bücher.example", False),
    ("xn--bcher-kva.example", False),
    ("only.port", True),
    ("only.port:81", False),
    ("other.port:82", True),
    ("xx", True),
]
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(("host", "proxied"), GO_HOSTS, ids=[host for host, _ in GO_HOSTS])
def test_no_proxy_lists_what_it_lists_for_go(host: str, proxied: bool) -> None:
    environment = {"HTTP_PROXY": PROXY, "NO_PROXY": GO_NO_PROXY}
    assert (proxy_for(f"http://{host}/path", None, "here", environment) is not None) is proxied


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        pytest.param({}, "https://a.example", None, id="none"),
        pytest.param({"HTTPS_PROXY": PROXY}, "https://a.example", PROXY, id="https"),
        pytest.param({"HTTPS_PROXY": PROXY}, "http://a.example", None, id="another scheme's"),
        pytest.param({"HTTP_PROXY": PROXY}, "https://a.example", None, id="http's is not https's"),
        pytest.param({"ALL_PROXY": PROXY}, "https://a.example", None, id="ALL_PROXY is not Go's"),
        pytest.param({"https_proxy": PROXY}, "https://a.example", PROXY, id="small letters"),
        pytest.param({"HTTPS_PROXY": PROXY, "https_proxy": "http://b"}, "https://a.example", PROXY, id="capitals"),
        pytest.param({"HTTPS_PROXY": "", "https_proxy": PROXY}, "https://a.example", PROXY, id="empty is not set"),
        pytest.param({"HTTPS_PROXY": "proxy.example:3128"}, "https://a.example", PROXY, id="host and port"),
        pytest.param({"HTTPS_PROXY": "10.0.0.9:3128"}, "https://a.example", "http://10.0.0.9:3128", id="address"),
        pytest.param({"HTTPS_PROXY": "proxy"}, "https://a.example", "http://proxy", id="host alone"),
        pytest.param({"HTTPS_PROXY": "[fd00::9]:3128"}, "https://a.example", "http://[fd00::9]:3128", id="brackets"),
        pytest.param({"HTTPS_PROXY": "me:pw@proxy:1"}, "https://a.example", "http://me:pw@proxy:1", id="user"),
        pytest.param({"HTTPS_PROXY": "https://proxy"}, "https://a.example", "https://proxy", id="a proxy behind TLS"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "https://a.example", None, id="star"),
        pytest.param({"HTTPS_PROXY": PROXY, "no_proxy": "x, a.example"}, "https://a.example", None, id="small list"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example:443"}, "https://a.example", None, id="default port"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "::ffff:10.0.0.1"}, "https://10.0.0.1", None, id="mapped IPv4"),
        pytest.param({"HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "https://a.example", PROXY, id="CGI and https"),
    ],
)  # fmt: skip
def test_the_environment_names_the_proxy_as_for_go(environment: dict[str, str], url: str, proxy: str | None) -> None:
    assert proxy_for(url, None, "here", environment) == proxy


def test_a_proxy_that_is_given_goes_before_the_environment_and_its_exceptions() -> None:
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}
    assert proxy_for("https://a.example", "http://mine:1", "here", environment) == "http://mine:1"


@pytest.mark.parametrize(
    ("given_proxy", "environment", "words"),
    [
        pytest.param("socks5://p:1", {}, "only http and https proxies are supported, not socks5", id="socks"),
        pytest.param("p:1", {}, "without http://", id="a kubeconfig's needs its scheme"),
        pytest.param("http://", {}, "no host", id="no host"),
        pytest.param("http://p:port", {}, "cannot be read", id="odd port"),
        pytest.param("http://[::1", {}, "cannot be read", id="odd brackets"),
        pytest.param(None, {"HTTPS_PROXY": "socks5://s3cr3t@p:1"}, r"\$HTTPS_PROXY: only http", id="the environment's"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_and_not_shown(
    given_proxy: str | None, environment: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        proxy_for("https://a.example", given_proxy, "here", environment)
    assert "s3cr3t" not in str(refused.value)


def test_http_proxy_is_refused_in_a_cgi_process() -> None:
    """There, anybody's request header `Proxy` becomes HTTP_PROXY."""
    with pytest.raises(ConfigError, match="REQUEST_METHOD"):
        proxy_for("http://a.example", None, "here", {"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"})


def test_a_proxys_place_is_shown_without_its_password() -> None:
    assert place_of("http://me:pw@proxy.example:3128") == "proxy.example:3128"
    assert place_of("https://[fd00::1]") == "[fd00::1]:443"


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_in_the_environment_is_a_surprise(proxy: str, no_proxy: str) -> None:
    """A proxy's URL, none, or an error of ours."""
    try:
        found = proxy_for("https://a.example", None, "here", {"HTTPS_PROXY": proxy, "NO_PROXY": no_proxy})
    except ConfigError:
        return
    assert found is None or found.startswith(("http", "HTTP"))
