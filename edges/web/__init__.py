"""The HTTP side: share links, webhook, codes, counts API and the dashboard, on Litestar."""
