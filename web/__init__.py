"""The HTTP side: share links, webhooks, counts, codes and the dashboard, on Litestar."""
