//! Checks whether the daemon has room for what its configuration asks of it: memory, and open files.
//!
//! It is an estimate from above, by what was measured: docs/SIZING.md has the figures.

use std::fs;

use alt_collect::source::logs::Logs;
use alt_config::Config;
use alt_line::line_id::WINDOW_BYTES;
use alt_line::parse::Format;

use super::finding::{Findings, Kind};
use crate::cmd::run::READERS_MAX;

/// The limits of the shipped unit, where systemd does not say which hold.
const MEMORY_MAX: u64 = 256 << 20;
const FILES_MAX: u64 = 65_536;

/// Where systemd has the memory limit of the daemon that runs.
const MEMORY_FILES: [&str; 2] = [
    "/sys/fs/cgroup/system.slice/alt.service/memory.max",
    "/sys/fs/cgroup/memory/system.slice/alt.service/memory.limit_in_bytes",
];

/// Memory of the daemon without sources, and of each reader thread without its batch.
const BASE_BYTES: u64 = 16 << 20;
const READER_BYTES: u64 = 8 << 20;

/// What is known of a row in a batch besides its bytes.
const ROW_BYTES: u64 = 112;

/// Memory of a live log that is open: its budgets, its proofs and the rest of what was read.
const LOG_BYTES: u64 = 256 << 10;

/// Memory of each byte of the window in which equal lines are counted, in formats without ids: 48 bytes for a line of
/// 200.
const WINDOW_SHARE: u64 = 4;

/// Descriptors besides those of the logs: connections, directories, libraries. Rotated files, which are few at a time.
const OTHER_FILES: u64 = 256;

/// Finds a configuration that needs more than the daemon may have.
pub(super) fn room(config: &Config, findings: &mut Findings) {
    let live = Logs::of(config).look();
    let (mut logs, mut windows) = (0, 0);
    for (n, source) in config.sources.iter().enumerate() {
        let has_ids = Format::of(&source.spec()).is_ok_and(|format| format.carries_id());
        for log in live.paths_of(n) {
            let Ok(metadata) = fs::metadata(log) else { continue };
            logs += 1;
            windows += if has_ids { 0 } else { metadata.len().min(WINDOW_BYTES) / WINDOW_SHARE };
        }
    }
    let readers = config.sources.len().min(READERS_MAX) as u64;
    // Those that are written, the readers', and the memory of one that is kept.
    let count = readers + config.load.connections as u64;
    let bytes = config.load.bytes_of_a_batch(usize::try_from(count).unwrap_or(1)) as u64;
    let batch = bytes + config.load.batch_rows as u64 * ROW_BYTES;
    let batches = (count + 1) * batch;
    let needed = BASE_BYTES + readers * READER_BYTES + batches + logs * LOG_BYTES + windows;
    let most = memory_max();
    let megabytes = |bytes: u64| bytes >> 20;
    if most.is_some_and(|most| needed > most) {
        let what = format!(
            "the daemon may need {} MiB ({} for its batches, {} for {logs} logs), and MemoryMax allows {}: the kernel \
             would kill it",
            megabytes(needed),
            megabytes(batches),
            megabytes(logs * LOG_BYTES + windows),
            megabytes(most.unwrap_or_default()),
        );
        let mend = match batches > needed / 2 {
            true => "lower [load] batch_bytes and batch_rows, or raise MemoryMax (`systemctl edit alt`)",
            false => "follow fewer logs, or raise MemoryMax (`systemctl edit alt`)",
        };
        findings.add(Kind::Memory, "alt.service", what, mend);
    }
    if logs + OTHER_FILES > FILES_MAX {
        findings.add(
            Kind::OpenFiles,
            "alt.service",
            format!(
                "{logs} logs are followed, and LimitNOFILE allows {FILES_MAX} open files: some stay unread"
            ),
            "follow fewer logs, or raise LimitNOFILE (`systemctl edit alt`)",
        );
    }
}

/// The memory that the daemon may have; `None`: there is no limit.
fn memory_max() -> Option<u64> {
    let said = MEMORY_FILES.iter().find_map(|file| fs::read_to_string(file).ok());
    match said {
        Some(said) => said.trim().parse().ok(),
        None => Some(MEMORY_MAX),
    }
}
