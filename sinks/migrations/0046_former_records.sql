-- Of logs that are no more: whoever checks what a sink has written must know what of it no topic shows any more.

ALTER TABLE sink_positions ADD COLUMN former_records bigint NOT NULL DEFAULT 0 CHECK (former_records >= 0);
COMMENT ON COLUMN sink_positions.former_records IS
    'How many records of the partition were read, at most, that are not in its log: the topic was deleted and made anew, or the log lost its end. Of before migration 0046 they are not known.';
