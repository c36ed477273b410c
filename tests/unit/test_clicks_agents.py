"""People are counted in whatever app they open a link; previews, robots and prefetching are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edges.web.clicks import agents
from edges.web.clicks.agents import AGENTS_REMEMBERED, Reason, reason_to_filter

CORPUS = Path(__file__).parents[1] / "agents_corpus.tsv"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"

PEOPLE = {
    "Chrome": f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36",
    "Edge": f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.51",
    "Firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Safari, also from WhatsApp and Signal": f"{IPHONE} Version/18.1 Mobile/15E148 Safari/604.1",
    "Internet Explorer": "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
    "Opera Mini": "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16",
    "Samsung": f"{ANDROID} SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
    "a telephone called Cubot": "Mozilla/5.0 (Linux; Android 9; CUBOT_X19 Build/PPR1; wv) Chrome/103",
    "another": "Mozilla/5.0 (Linux; Android 9; CUBOT NOTE Build/PPR1; wv) Chrome/103",
    "Android's web view": f"{ANDROID} Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36",
    "in Facebook": f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/468.0.0.35.107;FBDV/iPhone14,5;FBLC/nb_NO]",
    "in Facebook on Android": f"{ANDROID} Version/4.0 Chrome/119.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/443.0;]",
    "in Facebook of 2026": f"{ANDROID} Version/4.0 Chrome/146.0.7680.174 Mobile Safari/537.36 MetaIAB Facebook",
    "in Messenger": f"{IPHONE} Mobile/15E148 [FBAN/MessengerForiOS;FBAV/400.0.0.30.108]",
    "in Instagram": f"{IPHONE} Mobile/15E148 Instagram 325.0.3.34.90 (iPhone13,2; iOS 17_4; nb_NO; scale=3.00)",
    "in LinkedIn": f"{IPHONE} Mobile/15E148 [LinkedInApp]/9.29.5946",
    "in X": f"{IPHONE} Mobile/15E148 Twitter for iPhone/10.40",
    "in Snapchat": f"{IPHONE} Mobile/15E148 Snapchat/12.80.0.39 (like Safari/8617.2.4, panda)",
    "in Pinterest": f"{IPHONE} Mobile/15E148 [Pinterest/iOS]",
    "in TikTok": f"{ANDROID} Chrome/116.0 Mobile Safari/537.36 musical_ly_2023201030 NetType/WIFI BytedanceWebview/d8",
    "in Line": f"{IPHONE} Mobile/15E148 Safari Line/13.16.0",
    "in KakaoTalk": f"{ANDROID} Chrome/116.0 Mobile Safari/537.36;KAKAOTALK 2410310",
    "in WeChat": f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.42(0x18002a2f) NetType/WIFI Language/en",
    "in Telegram": f"{ANDROID} Chrome/116.0 Mobile Safari/537.36 Telegram-Android/10.1.1 (Samsung; SDK 33; AVERAGE)",
    "in Viber": f"{IPHONE} Mobile/15E148 Viber/21.0",
    "in Slack": f"{WINDOWS} Slack/4.35.126 Chrome/118.0 Electron/27.0 Safari/537.36",
    "in Discord": f"{WINDOWS} discord/1.0.9023 Chrome/108 Electron/22 Safari/537.36",
    "in Google's app": f"{IPHONE} GSA/307.0.613 Mobile/15E148 Safari/604.1",
    "in DuckDuckGo": f"{ANDROID} Chrome/116.0 Mobile DuckDuckGo/5 Safari/537.36",
    "in NAVER": f"{IPHONE} Version/15.1 Mobile/15E148 Safari/605.1 NAVER(inapp; search; 1000; 11.8.6; 13PRO)",
    "in Ecosia": f"{ANDROID} Chrome/119.0.0.0 Mobile Safari/537.36 (Ecosia android@119.0.6045.193)",
    "in Ecosia on iOS": f"{IPHONE} Mobile/14D27 (Ecosia ios@3.0.1.533)",
    # https://github.com/omrilotan/isbot/issues/314
    "in Facebook on Android, as it calls itself": "[FBAN/FB4A;FBAV/567.1.0.52.74;FBBV/1003893689;FBDM/{density=3.0,"
    "width=1080,height=2340};FBLC/nl_NL;FBRV/1012267334;FBCR/NL KPN;FBMF/samsung;FBBD/samsung;FBPN/com.facebook.katana;"
    "FBDV/SM-S921B;FBSV/16;FBOP/1;FBCA/arm64-v8a:;]",
    "in Facebook, with a company's host": f"{IPHONE} Mobile/16A366 [FBAN/FBIOS;FBSV/12.0;FBCR/Vodafone.de;FBLC/de_DE]",
    "in Yandex": f"{ANDROID} Version/4.0 Chrome/131.0 Mobile Safari/537.36 YandexSearch/7.54 YandexSearchBrowser/7.54",
    "in Rakuten": f"{ANDROID} Chrome/114.0.0.0 Mobile Safari/537.36 RakutenWebsearch/5.114.04",
    "in Qwant": "QwantMobile/2.5 (Android 8.1.0; Mobile; rv:63.0) Gecko/63.0 Firefox/63.0 QwantBrowser/63.0.1",
    "from a QR scanner": f"{ANDROID} Version/4.0 Chrome/120.0 Mobile Safari/537.36 QRScanner/2.1",
    "in a shop": f"{ANDROID} Version/4.0 Chrome/114.0 Mobile Safari/537.36 cashify-flutter store-checkout",
    "an old telephone": "SIE-S55/16 UP.Browser/6.1.0.5.c.4 (GUI) MMP/1.0 UP.Link/5.1.2.10",
    "a television": "HbbTV/1.2.1 (+DRM;Samsung;SmartTV2017;T-KTMDEUC-1151.1;;)+TVPLUS+SmartHubLink Chrome",
    "Lynx": "Lynx/2.8.8pre.3 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/1.0.1e",
    "at a terminal": "curl/8.4.0",
    "at another": "Wget/1.21.4",
}
PREVIEWS = {
    "WhatsApp": "WhatsApp/2.23.20.0 A",
    "Signal": "WhatsApp/2",
    "Facebook": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Meta": "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "iMessage": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
    "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "X": "Twitterbot/1.0",
    "Slack": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slack's pictures": "Slack-ImgProxy (+https://api.slack.com/robots)",
    "LinkedIn": "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Telegram": "TelegramBot (like TwitterBot)",
    "Discord": "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Skype and Teams": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Outlook": "MicrosoftPreview/2.0; +https://aka.ms/MicrosoftPreview",
    "Viber": "Viber",
    "Line": "Mozilla/5.0 (compatible; Linespider/1.1; +https://lin.ee/4dwXkTH)",
    "Snapchat": "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
    "Matrix": "Synapse (bot; +https://github.com/matrix-org/synapse)",
    "Mastodon": "http.rb/5.1.1 (Mastodon/4.2.1; +https://mastodon.social/)",
    "Google's": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; Google Web Preview)",
}
ROBOTS = {
    "Google": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Google, mobile": f"{ANDROID} Chrome/120.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/)",
    "Bing": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "DuckDuckGo": "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
    "Apple": f"{IPHONE} Version/17.4 Mobile/15E148 Safari/604.1 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    "Yahoo": "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "OpenAI": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Anthropic": "Mozilla/5.0 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Ahrefs": "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "a program": "python-requests/2.32.3",
    "another": "Go-http-client/2.0",
    "Chrome without a head": f"{WINDOWS} HeadlessChrome/131.0.0.0 Safari/537.36",
    "PhantomJS": "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) PhantomJS/1.9.8",
    "ZGrab": "Mozilla/5.0 zgrab/0.x",
    "nothing more": "Mozilla/5.0",
    "nothing more, older": "Mozilla/4.0",
    "a scanner": "Mozilla/5.0 (X11; Linux x86_64) Nikto/2.5.0 (Evasions:None) (Test:Port Check)",
    "Selenium": f"{WINDOWS} Chrome/120.0.0.0 Safari/537.36; Selenium",
    "a host behind a browser": f"{WINDOWS} Chrome/118.0.0.0 Safari/537.36 SQWatcher/202312 (sqcompliance.com/)",
    "a mail scanner that says so": "Barracuda Sentinel (EE)",
    "Safari's own requests": "com.apple.WebKit.Networking/8614.2.9.0.10 CFNetwork/1399 Darwin/22.1.0",
    "an app without a browser": "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A)",
}


def reason(agent: str, **more: str) -> Reason | None:
    """Return the reason for a request with this agent, and headers whose names are written with underscores."""
    headers = {"host": "x", "user-agent": agent, "accept": "text/html", **more}
    return reason_to_filter([(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()])


@pytest.mark.parametrize("agent", PEOPLE.values(), ids=PEOPLE)
def test_people(agent: str) -> None:
    """They are counted, also when met again."""
    assert [reason(agent), reason(agent)] == [None, None]


@pytest.mark.parametrize("agent", PREVIEWS.values(), ids=PREVIEWS)
def test_previews(agent: str) -> None:
    """They are not people, whatever the case of their letters."""
    assert [reason(agent), reason(agent), reason(agent.upper())] == ["preview"] * 3


@pytest.mark.parametrize("agent", ROBOTS.values(), ids=ROBOTS)
def test_robots(agent: str) -> None:
    """They are not people."""
    assert [reason(agent), reason(agent)] == ["robot", "robot"]


@pytest.mark.parametrize(
    "header",
    [
        {"sec_purpose": "prefetch"},
        {"sec_purpose": "Prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x_purpose": "preview"},
        {"x_moz": "prefetch"},
    ],
)
def test_prefetching(header: dict[str, str]) -> None:
    """What a browser fetches ahead is not counted; nor is it a reason for the next request of the same agent."""
    assert reason(PEOPLE["Chrome"], **header) == "prefetch"
    assert reason(PEOPLE["Chrome"], sec_purpose="other") is None


@pytest.mark.parametrize(
    ("destination", "user", "expected"),
    [
        ("document", "", None),
        ("document", "?1", None),
        ("iframe", "?1", None),
        ("iframe", "", "embedded"),
        ("frame", "", "embedded"),
        *((name, "", "embedded") for name in ("image", "script", "style", "empty", "object", "embed", "video", "font")),
    ],
)
def test_embedded(destination: str, user: str, expected: Reason | None) -> None:
    """A page that has the link as a picture is no click; a person who clicks in a frame is one."""
    headers = {"sec_fetch_dest": destination} | ({"sec_fetch_user": user} if user else {})
    assert reason(PEOPLE["Chrome"], **headers) == expected


def test_corpus() -> None:
    """At least 99 of 100 agents that had no part in the choice of the rules are told right; no person is filtered."""
    wrong: dict[str, list[str]] = {"person": [], "robot": []}
    cases = [line.split("\t") for line in CORPUS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for who, source, agent in cases:
        assert source
        if (reason(agent) is None) is not (who == "person"):
            wrong[who].append(agent)
    assert len({agent for *_, agent in cases}) == len(cases) >= 300
    assert wrong["person"] == []
    assert len(wrong["robot"]) <= len(cases) * 0.01, wrong["robot"]


@pytest.mark.parametrize("agent", ["", " "])
def test_no_agent(agent: str) -> None:
    """Every browser says what it is."""
    assert reason(agent) == "no_agent"
    assert reason_to_filter([(b"host", b"x")]) == "no_agent"


def test_memory_is_bounded_and_holds_no_agent() -> None:
    """Agents are remembered by their hash, a bounded number of them."""
    for number in range(AGENTS_REMEMBERED + 100):
        assert reason(f"{PEOPLE['Chrome']} {number}") is None
    assert len(agents._reasons) <= AGENTS_REMEMBERED  # noqa: SLF001  what is kept is the point
    assert all(isinstance(each, int) for each in agents._reasons)  # noqa: SLF001  the same


def test_a_very_long_agent_is_judged_by_its_beginning() -> None:
    """A megabyte costs no more than a long agent."""
    assert reason(PEOPLE["Chrome"] + " " * 1_000_000 + "bot") is None
