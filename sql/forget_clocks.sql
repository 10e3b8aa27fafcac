-- Forgets hosts whose clock was found right last more than 400 days before $1: machines that are gone.
DELETE FROM retention_clock WHERE last_at < $1 - interval '400 days'
