-- Days whose statistics come from another product.

ALTER TABLE stat_days ADD COLUMN imported_at timestamptz;

COMMENT ON COLUMN stat_days.imported_at IS 'When its statistics were imported from another product; NULL: they are computed of rows';
