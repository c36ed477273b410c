"""Where the programme meets people and other systems: each thing that comes in, and each that is asked for.

publishing/      records into the source topics: keyed and partitioned right, each acknowledged or named
registry/        organisations and their secrets, referral codes, the outbox that publishes them
reconciliation/  confirmations that never came, found by asking the membership system
web/             share links, webhook, codes, counts API, dashboard
"""
