-- Keys by which statistics hash user ids, so that a person is known again on another day, and nobody by name.
CREATE TABLE stat_user_keys (
    app_id     integer PRIMARY KEY,
    key        bytea NOT NULL CHECK (length(key) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE stat_user_keys IS 'Keys of the hashes of user ids in stat_segments, one an application. Without the key, nothing leads from a user id to its hash.';
COMMENT ON COLUMN stat_user_keys.app_id IS 'The application';
COMMENT ON COLUMN stat_user_keys.key IS 'Key of BLAKE3, random; made when a row with a user id is first computed';
COMMENT ON COLUMN stat_user_keys.created_at IS 'When it was made: days that were computed before have other hashes, or none';
