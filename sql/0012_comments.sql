-- What the schema says of itself (\d+ in psql), and the rule that decided the class of a row.

-- A class that differs from that of the user agent was decided by the hit. Where neither explains it, as with a row from
-- before a change of the list of crawlers, the rule is not known.
CREATE OR REPLACE VIEW access_log_details AS
SELECT l.occurred_at, l.client_at, a.name AS application, a.app_key, l.event_type, l.traffic_class,
       l.url_host, l.url_path, l.url_query, l.title, l.referrer, l.referrer_host,
       u.browser, u.browser_version, u.os, u.os_version, u.device, u.user_agent,
       CASE WHEN l.traffic_class = u.traffic_class THEN u.rule
            WHEN l.traffic_class = 'headless' THEN 'automation flag'
            WHEN l.traffic_class = 'server' THEN 'posted by a server'
            WHEN l.traffic_class = 'suspect' THEN concat('host not allowed: ', l.url_host)
       END AS traffic_rule,
       l.ip, l.visitor_id, l.page_view_id, l.session_id, l.user_id, l.client_sub_id, l.module_id,
       l.dwell_ms, l.scroll_depth, l.click_x, l.click_y, l.entity_type, l.entity_id,
       l.method, l.status, l.bytes_sent, l.request_ms, l.upstream_ms, l.trace_id, l.params,
       l.event_id, l.app_id, l.file_id, f.path AS file_path, l.file_offset,
       coalesce(e.language, l.params ->> 'language') AS language,
       coalesce(e.time_zone, l.params ->> 'time_zone') AS time_zone,
       coalesce(e.screen_width, (l.params ->> 'screen_width')::integer) AS screen_width,
       coalesce(e.screen_height, (l.params ->> 'screen_height')::integer) AS screen_height,
       coalesce(e.beacon_version, l.params ->> 'beacon_version') AS beacon_version
FROM access_logs l
JOIN applications a ON a.id = l.app_id
LEFT JOIN user_agents u ON u.id = l.user_agent_id
LEFT JOIN environments e ON e.id = l.environment_id
LEFT JOIN log_files f ON f.id = l.file_id;

COMMENT ON TABLE applications IS 'The tracked sites.';
COMMENT ON COLUMN applications.id IS 'Key; app_id of other tables';
COMMENT ON COLUMN applications.app_key IS 'Public key, which stands in every page';
COMMENT ON COLUMN applications.name IS 'Name for people';
COMMENT ON COLUMN applications.allowed_domains IS 'Domains of its pages, subdomains included; empty: any';
COMMENT ON COLUMN applications.time_zone IS 'IANA time zone of its days; fixed, because visitors are counted by day';
COMMENT ON COLUMN applications.settings IS 'JSON: store_crawlers (false: hits of bots are counted and not stored), query_allow (parameters that keep their values)';
COMMENT ON COLUMN applications.created_at IS 'When it was registered';
COMMENT ON COLUMN applications.disabled_at IS 'Since when its hits are rejects; NULL: it is enabled';

COMMENT ON TABLE user_agents IS 'User agents, each once.';
COMMENT ON COLUMN user_agents.id IS 'First 8 bytes of BLAKE3 of the string';
COMMENT ON COLUMN user_agents.user_agent IS 'At most 512 bytes, masked';
COMMENT ON COLUMN user_agents.browser IS 'Chrome, Safari, Firefox …; NULL: unknown';
COMMENT ON COLUMN user_agents.browser_version IS 'As the browser writes it';
COMMENT ON COLUMN user_agents.os IS 'Windows, macOS, iOS, Android …';
COMMENT ON COLUMN user_agents.os_version IS 'As the system writes it';
COMMENT ON COLUMN user_agents.device IS 'desktop, phone, tablet, tv or console';
COMMENT ON COLUMN user_agents.traffic_class IS 'Class by the user agent alone; access_logs.traffic_class is that of the hit';
COMMENT ON COLUMN user_agents.rule IS 'What decided that class';
COMMENT ON COLUMN user_agents.first_seen_at IS 'When it was stored';

COMMENT ON TABLE environments IS 'What browsers say of where they run, each combination once.';
COMMENT ON COLUMN environments.id IS 'First 8 bytes of BLAKE3 of the other columns';
COMMENT ON COLUMN environments.language IS 'First language of Accept-Language';
COMMENT ON COLUMN environments.time_zone IS 'Time zone of the browser';
COMMENT ON COLUMN environments.screen_width IS 'CSS pixels';
COMMENT ON COLUMN environments.screen_height IS 'CSS pixels';
COMMENT ON COLUMN environments.beacon_version IS 'Version of the script';
COMMENT ON COLUMN environments.first_seen_at IS 'When it was stored';

COMMENT ON TABLE visitor_salts IS 'Keys of the visitor hash, one for each application and local day. Without the salt, nothing leads from an address to a visitor_id.';
COMMENT ON COLUMN visitor_salts.app_id IS 'The application';
COMMENT ON COLUMN visitor_salts.day IS 'Day in the time zone of the application';
COMMENT ON COLUMN visitor_salts.day_ends_at IS 'End of the day';
COMMENT ON COLUMN visitor_salts.salt IS 'NULL: destroyed; it is never made again';
COMMENT ON COLUMN visitor_salts.created_at IS 'When it was made';

COMMENT ON TABLE log_files IS 'The files from which lines came. Host, path and inode say where a file was last seen; they do not identify it.';
COMMENT ON COLUMN log_files.id IS 'Key; file_id of other tables';
COMMENT ON COLUMN log_files.host IS 'Name of the host';
COMMENT ON COLUMN log_files.source IS 'Path that is followed, or replay';
COMMENT ON COLUMN log_files.path IS 'Where the file was last seen';
COMMENT ON COLUMN log_files.format IS 'alt1, combined, common, vhost_combined or custom';
COMMENT ON COLUMN log_files.inode IS 'Inode on that host';
COMMENT ON COLUMN log_files.size_bytes IS 'Size on disk, compressed or not';
COMMENT ON COLUMN log_files.modified_at IS 'Last write';
COMMENT ON COLUMN log_files.created_at IS 'When it was first seen';
COMMENT ON COLUMN log_files.sealed_at IS 'When it was loaded to its end, and nothing writes to it any more';
COMMENT ON COLUMN log_files.spec IS 'How its lines are read (JSON): format, application, label';
COMMENT ON COLUMN log_files.archived_at IS 'When the copy in the archive was proven';
COMMENT ON COLUMN log_files.archive_uri IS 'The object in the archive';
COMMENT ON COLUMN log_files.archive_bytes IS 'Size of the object';
COMMENT ON COLUMN log_files.archive_sha256 IS 'SHA-256 of the object';
COMMENT ON COLUMN log_files.raw_bytes IS 'Size of the log in the object';
COMMENT ON COLUMN log_files.raw_sha256 IS 'SHA-256 of the log';
COMMENT ON COLUMN log_files.raw_lines IS 'Lines of the log';
COMMENT ON COLUMN log_files.first_at IS 'Time of the first event in it';
COMMENT ON COLUMN log_files.last_at IS 'Time of the last event in it';
COMMENT ON COLUMN log_files.archive_error IS 'Why the last attempt to archive it failed';
COMMENT ON COLUMN log_files.deleted_at IS 'When the local file was deleted';
COMMENT ON COLUMN log_files.real_path IS 'Path without symbolic links, if it is another one';
COMMENT ON COLUMN log_files.missing_at IS 'Since when a running daemon does not find it';
COMMENT ON COLUMN log_files.forgotten_at IS 'When somebody said that its rest need not be loaded';

COMMENT ON TABLE checkpoints IS 'How far each file is loaded, the proof of it, and the counts: lines = rows + non_hits + rejects + already_loaded + unloaded.';
COMMENT ON COLUMN checkpoints.file_id IS 'The file';
COMMENT ON COLUMN checkpoints.head IS 'BLAKE3 of the first head_bytes of the file';
COMMENT ON COLUMN checkpoints.head_bytes IS 'Length of the head';
COMMENT ON COLUMN checkpoints.head_has_id IS 'The head contains an event id, and is unique';
COMMENT ON COLUMN checkpoints.fork IS 'Number among files that begin alike';
COMMENT ON COLUMN checkpoints.by_ids IS 'Not written any more: see loaded_by_ids';
COMMENT ON COLUMN checkpoints.loaded_bytes IS 'Bytes of the uncompressed file that are loaded';
COMMENT ON COLUMN checkpoints.tail IS 'BLAKE3 of the tail_bytes before loaded_bytes';
COMMENT ON COLUMN checkpoints.tail_bytes IS 'Length of the tail';
COMMENT ON COLUMN checkpoints.sealed IS 'The file is loaded to its end';
COMMENT ON COLUMN checkpoints.lines IS 'Lines that were read';
COMMENT ON COLUMN checkpoints.rows IS 'Lines that became rows';
COMMENT ON COLUMN checkpoints.non_hits IS 'Well-formed lines that are no events';
COMMENT ON COLUMN checkpoints.rejects IS 'Lines that could not become rows';
COMMENT ON COLUMN checkpoints.already_loaded IS 'Lines whose events were rows already';
COMMENT ON COLUMN checkpoints.first_at IS 'Time of the first event';
COMMENT ON COLUMN checkpoints.last_at IS 'Time of the last event';
COMMENT ON COLUMN checkpoints.committed_at IS 'Last commit';
COMMENT ON COLUMN checkpoints.unloaded IS 'Rows that were taken out again by alt unload';
COMMENT ON COLUMN checkpoints.unloaded_at IS 'When that was';

COMMENT ON TABLE loaded_by_ids IS 'Files whose lines were compared with the ids in the database, and the times of the rows that this added.';
COMMENT ON COLUMN loaded_by_ids.file_id IS 'The file';
COMMENT ON COLUMN loaded_by_ids.first_at IS 'Time of the first such event';
COMMENT ON COLUMN loaded_by_ids.last_at IS 'Time of the last such event';
COMMENT ON COLUMN loaded_by_ids.rows IS 'Number of rows';
COMMENT ON COLUMN loaded_by_ids.loaded_at IS 'Last load';

COMMENT ON TABLE access_logs IS 'Events, one row each; partitioned by month of occurred_at (UTC). access_log_details is the view for people.';
COMMENT ON COLUMN access_logs.occurred_at IS 'Time of the event by the server''s clock';
COMMENT ON COLUMN access_logs.client_at IS 'Time by the client''s clock';
COMMENT ON COLUMN access_logs.event_id IS 'Id of the event, the same however often its line is loaded';
COMMENT ON COLUMN access_logs.visitor_id IS 'Keyed hash of day, application, address and user agent: one visitor on one day. NULL: the visitor asked not to be tracked, or the day''s salt is destroyed';
COMMENT ON COLUMN access_logs.page_view_id IS 'The same for all events of one page view';
COMMENT ON COLUMN access_logs.user_agent_id IS 'Key of user_agents; NULL: no user agent, or one too many of its network';
COMMENT ON COLUMN access_logs.file_offset IS 'Where the line begins in the uncompressed file';
COMMENT ON COLUMN access_logs.bytes_sent IS 'Bytes of the answer';
COMMENT ON COLUMN access_logs.app_id IS 'Key of applications';
COMMENT ON COLUMN access_logs.file_id IS 'Key of log_files';
COMMENT ON COLUMN access_logs.dwell_ms IS 'Visible time since the last report; the sum is the time of a page view';
COMMENT ON COLUMN access_logs.request_ms IS 'Time that nginx took, milliseconds';
COMMENT ON COLUMN access_logs.upstream_ms IS 'Time that the upstream took, milliseconds';
COMMENT ON COLUMN access_logs.status IS 'HTTP status of the answer';
COMMENT ON COLUMN access_logs.scroll_depth IS 'Greatest depth, 0 to 100 percent of the page';
COMMENT ON COLUMN access_logs.click_x IS 'Place of a click, 0 to 100 percent of the page''s width; NULL: by keyboard';
COMMENT ON COLUMN access_logs.click_y IS 'The same for the page''s height';
COMMENT ON COLUMN access_logs.traffic_class IS 'human, server (the site''s own program posted it), bot, ai_bot, monitor, headless, or suspect (a page that is not on the application''s domains)';
COMMENT ON COLUMN access_logs.event_type IS 'pageview, engagement, click, outbound, download, search … or the site''s own; request: a line of a site''s own access log';
COMMENT ON COLUMN access_logs.method IS 'HTTP method';
COMMENT ON COLUMN access_logs.ip IS 'Address, shortened as [privacy] ip says';
COMMENT ON COLUMN access_logs.url_host IS 'Host of the page, lower case, with its port';
COMMENT ON COLUMN access_logs.url_path IS 'Path of the page, masked';
COMMENT ON COLUMN access_logs.url_query IS 'Query of the page, masked';
COMMENT ON COLUMN access_logs.referrer IS 'Where the visitor came from, masked';
COMMENT ON COLUMN access_logs.referrer_host IS 'Its host, if it is another than the page''s';
COMMENT ON COLUMN access_logs.title IS 'Title of the page';
COMMENT ON COLUMN access_logs.session_id IS 'As the site defines it; the script sends none. From a script of an earlier version: the first page view since the page was loaded';
COMMENT ON COLUMN access_logs.user_id IS 'As the site defines it';
COMMENT ON COLUMN access_logs.client_sub_id IS 'As the site defines it: a sub-account';
COMMENT ON COLUMN access_logs.module_id IS 'As the site defines it: a part of the site';
COMMENT ON COLUMN access_logs.entity_type IS 'What the event is about: order, product …';
COMMENT ON COLUMN access_logs.entity_id IS 'Its id';
COMMENT ON COLUMN access_logs.trace_id IS 'Of traceparent or X-Amzn-Trace-Id';
COMMENT ON COLUMN access_logs.params IS 'Values without a column (JSON), under their long or own names';
COMMENT ON COLUMN access_logs.environment_id IS 'Key of environments; NULL: nothing is known, or params has it';

COMMENT ON TABLE rejected_lines IS 'Lines that could not become rows. Adjacent lines of one file and reason share a row.';
COMMENT ON COLUMN rejected_lines.file_id IS 'The file';
COMMENT ON COLUMN rejected_lines.file_offset IS 'Where the first line begins in the uncompressed file';
COMMENT ON COLUMN rejected_lines.bytes IS 'Bytes of the lines, newlines included';
COMMENT ON COLUMN rejected_lines.lines IS 'Number of lines';
COMMENT ON COLUMN rejected_lines.reason IS 'Why: shape, unknown_app …; docs/FORMAT.md lists all';
COMMENT ON COLUMN rejected_lines.detail IS 'More about the reason, such as the unknown key';
COMMENT ON COLUMN rejected_lines.occurred_at IS 'Time of the first event, if it is legible';
COMMENT ON COLUMN rejected_lines.event_id IS 'Id of the first event';
COMMENT ON COLUMN rejected_lines.raw IS 'At most 2 KiB of the first line';
COMMENT ON COLUMN rejected_lines.rejected_at IS 'When it was rejected';

COMMENT ON TABLE suspects IS 'Lines that may have ended the daemon.';
COMMENT ON COLUMN suspects.file_id IS 'The file';
COMMENT ON COLUMN suspects.file_offset IS 'Where the line begins';
COMMENT ON COLUMN suspects.deaths IS 'How often the daemon ended in it; from 2 on it is not touched';
COMMENT ON COLUMN suspects.noted_at IS 'When it was entered';

COMMENT ON TABLE retention_clock IS 'Times at which a host''s clock was found correct; nothing is deleted for its age by another one.';
COMMENT ON COLUMN retention_clock.host IS 'The host; empty: when this table was made';
COMMENT ON COLUMN retention_clock.boot_id IS 'Start of the machine; NULL: not known';
COMMENT ON COLUMN retention_clock.uptime_us IS 'CLOCK_BOOTTIME at first_at, microseconds';
COMMENT ON COLUMN retention_clock.first_at IS 'First time since the machine started';
COMMENT ON COLUMN retention_clock.last_at IS 'Last time';
COMMENT ON COLUMN retention_clock.quiet_since IS 'Since when last_at is more than a day behind the newest commit';

COMMENT ON TABLE retention_words IS 'What people confirmed with alt retention confirm.';
COMMENT ON COLUMN retention_words.id IS 'Key';
COMMENT ON COLUMN retention_words.said_at IS 'When';
COMMENT ON COLUMN retention_words.host IS 'On which host';
COMMENT ON COLUMN retention_words.today IS 'The date that was confirmed';
COMMENT ON COLUMN retention_words.drop_before IS 'Months before this day may be dropped, however many';

COMMENT ON TABLE retention_drops IS 'What was deleted for its age: the newest 100,000 entries.';
COMMENT ON COLUMN retention_drops.id IS 'Key';
COMMENT ON COLUMN retention_drops.dropped_at IS 'When';
COMMENT ON COLUMN retention_drops.host IS 'Whose daemon or command did it';
COMMENT ON COLUMN retention_drops.what IS 'rows, salts, rejects, log or object';
COMMENT ON COLUMN retention_drops.name IS 'Of the partition, file or object';
COMMENT ON COLUMN retention_drops.from_at IS 'Time of the oldest content';
COMMENT ON COLUMN retention_drops.until_at IS 'Time of the newest content';
COMMENT ON COLUMN retention_drops.count IS 'Number of rows (estimated), salts or spans of rejects';

COMMENT ON TABLE leases IS 'Work that one process at a time does.';
COMMENT ON COLUMN leases.name IS 'The work';
COMMENT ON COLUMN leases.holder IS 'Host, process id and a random number';
COMMENT ON COLUMN leases.fence IS 'Larger for each holder; a write of an earlier holder is refused';
COMMENT ON COLUMN leases.expires_at IS 'When another may take it, by the database''s clock';

COMMENT ON TABLE batches IS 'The ledger: what each transaction changed in access_logs.';
COMMENT ON COLUMN batches.xid IS 'The transaction';
COMMENT ON COLUMN batches.from_offset IS 'The lines of the rows begin here in the file';
COMMENT ON COLUMN batches.to_offset IS 'And end here';
COMMENT ON COLUMN batches.first_at IS 'Time of the first event';
COMMENT ON COLUMN batches.last_at IS 'Time of the last event';
COMMENT ON COLUMN batches.entered_at IS 'When it was entered';
COMMENT ON COLUMN batches.part IS 'Number within the transaction';
COMMENT ON COLUMN batches.file_id IS 'The file; NULL: any';
COMMENT ON COLUMN batches.rows IS 'Number of rows; NULL: not counted';
COMMENT ON COLUMN batches.kind IS 'rows (added), removed (alt unload) or expired (retention)';
COMMENT ON COLUMN batches.apps IS 'Applications of the rows';
COMMENT ON COLUMN batches.hours IS 'UTC hours since 1970 of the rows, one for each of apps; if there is one, it is that of all';
COMMENT ON COLUMN batches.offsets IS 'Where the lines begin; NULL: all rows between the offsets';

COMMENT ON TABLE followers IS 'Who reads the ledger, and how far.';
COMMENT ON COLUMN followers.name IS 'The follower';
COMMENT ON COLUMN followers.cluster IS 'System identifier of the server to which the numbers belong';
COMMENT ON COLUMN followers.seen IS 'What it has seen, if it reads the ledger as a set';
COMMENT ON COLUMN followers.position_xid IS 'Where it is, if it reads in order';
COMMENT ON COLUMN followers.position_part IS 'The part of that transaction';
COMMENT ON COLUMN followers.moved_at IS 'When it last read';
COMMENT ON COLUMN followers.missed IS 'Something was deleted that it had not read';

COMMENT ON TABLE alt_migrations IS 'The migrations of the schema that were applied.';
COMMENT ON COLUMN alt_migrations.version IS 'Number';
COMMENT ON COLUMN alt_migrations.name IS 'Name';
COMMENT ON COLUMN alt_migrations.applied_at IS 'When';

COMMENT ON VIEW access_log_details IS 'Events for people: access_logs with the names of what its keys refer to.';
COMMENT ON COLUMN access_log_details.occurred_at IS 'Time of the event by the server''s clock';
COMMENT ON COLUMN access_log_details.client_at IS 'Time by the client''s clock';
COMMENT ON COLUMN access_log_details.application IS 'Name of the application';
COMMENT ON COLUMN access_log_details.app_key IS 'Public key, which stands in every page';
COMMENT ON COLUMN access_log_details.event_type IS 'pageview, engagement, click, outbound, download, search … or the site''s own; request: a line of a site''s own access log';
COMMENT ON COLUMN access_log_details.traffic_class IS 'human, server (the site''s own program posted it), bot, ai_bot, monitor, headless, or suspect (a page that is not on the application''s domains)';
COMMENT ON COLUMN access_log_details.url_host IS 'Host of the page, lower case, with its port';
COMMENT ON COLUMN access_log_details.url_path IS 'Path of the page, masked';
COMMENT ON COLUMN access_log_details.url_query IS 'Query of the page, masked';
COMMENT ON COLUMN access_log_details.title IS 'Title of the page';
COMMENT ON COLUMN access_log_details.referrer IS 'Where the visitor came from, masked';
COMMENT ON COLUMN access_log_details.referrer_host IS 'Its host, if it is another than the page''s';
COMMENT ON COLUMN access_log_details.browser IS 'Chrome, Safari, Firefox …; NULL: unknown';
COMMENT ON COLUMN access_log_details.browser_version IS 'As the browser writes it';
COMMENT ON COLUMN access_log_details.os IS 'Windows, macOS, iOS, Android …';
COMMENT ON COLUMN access_log_details.os_version IS 'As the system writes it';
COMMENT ON COLUMN access_log_details.device IS 'desktop, phone, tablet, tv or console';
COMMENT ON COLUMN access_log_details.user_agent IS 'At most 512 bytes, masked';
COMMENT ON COLUMN access_log_details.traffic_rule IS 'What decided traffic_class; NULL: not known';
COMMENT ON COLUMN access_log_details.ip IS 'Address, shortened as [privacy] ip says';
COMMENT ON COLUMN access_log_details.visitor_id IS 'Keyed hash of day, application, address and user agent: one visitor on one day. NULL: the visitor asked not to be tracked, or the day''s salt is destroyed';
COMMENT ON COLUMN access_log_details.page_view_id IS 'The same for all events of one page view';
COMMENT ON COLUMN access_log_details.session_id IS 'As the site defines it; the script sends none. From a script of an earlier version: the first page view since the page was loaded';
COMMENT ON COLUMN access_log_details.user_id IS 'As the site defines it';
COMMENT ON COLUMN access_log_details.client_sub_id IS 'As the site defines it: a sub-account';
COMMENT ON COLUMN access_log_details.module_id IS 'As the site defines it: a part of the site';
COMMENT ON COLUMN access_log_details.dwell_ms IS 'Visible time since the last report; the sum is the time of a page view';
COMMENT ON COLUMN access_log_details.scroll_depth IS 'Greatest depth, 0 to 100 percent of the page';
COMMENT ON COLUMN access_log_details.click_x IS 'Place of a click, 0 to 100 percent of the page''s width; NULL: by keyboard';
COMMENT ON COLUMN access_log_details.click_y IS 'The same for the page''s height';
COMMENT ON COLUMN access_log_details.entity_type IS 'What the event is about: order, product …';
COMMENT ON COLUMN access_log_details.entity_id IS 'Its id';
COMMENT ON COLUMN access_log_details.method IS 'HTTP method';
COMMENT ON COLUMN access_log_details.status IS 'HTTP status of the answer';
COMMENT ON COLUMN access_log_details.bytes_sent IS 'Bytes of the answer';
COMMENT ON COLUMN access_log_details.request_ms IS 'Time that nginx took, milliseconds';
COMMENT ON COLUMN access_log_details.upstream_ms IS 'Time that the upstream took, milliseconds';
COMMENT ON COLUMN access_log_details.trace_id IS 'Of traceparent or X-Amzn-Trace-Id';
COMMENT ON COLUMN access_log_details.params IS 'Values without a column (JSON), under their long or own names';
COMMENT ON COLUMN access_log_details.event_id IS 'Id of the event, the same however often its line is loaded';
COMMENT ON COLUMN access_log_details.app_id IS 'Key of applications';
COMMENT ON COLUMN access_log_details.file_id IS 'Key of log_files';
COMMENT ON COLUMN access_log_details.file_path IS 'Where the file was last seen';
COMMENT ON COLUMN access_log_details.file_offset IS 'Where the line begins in the uncompressed file';
COMMENT ON COLUMN access_log_details.language IS 'First language of Accept-Language';
COMMENT ON COLUMN access_log_details.time_zone IS 'Time zone of the browser';
COMMENT ON COLUMN access_log_details.screen_width IS 'CSS pixels';
COMMENT ON COLUMN access_log_details.screen_height IS 'CSS pixels';
COMMENT ON COLUMN access_log_details.beacon_version IS 'Version of the script';
