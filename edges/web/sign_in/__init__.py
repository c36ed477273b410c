"""Sign-in of people: sessions by cookie, links that sign in once, and an OpenID provider. Programs bring tokens.

credentials.py   what a cookie and a link carry, and what of it is stored
sessions.py      who is signed in, in Postgres
links.py         links that sign in once, for those without a provider
revoking.py      sessions as an operator sees them
cookies.py       cookies as browsers keep them, and requests that one of our own pages has sent
posted.py        what a page posts
flow.py          what one browser brings back from the provider: state, nonce, PKCE
claims.py        organisation, role and subject out of a provider's claims
provider.py      the provider: discovery, its keys, codes for tokens
"""
