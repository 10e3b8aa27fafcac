//! Packs a log into the object that the archive gets.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::sync::Arc;

use alt_line::arena::ARENA_BYTES;
use alt_line::hit::{Micros, Parsed};
use alt_line::lines::{Line, Lines};
use alt_line::parse::{Format, Terms};
use alt_line::processor::pieces;
use alt_process::clock;
use alt_process::fault;
use alt_process::stop::{Stop, Stoppable};
use anyhow::Context;
use sha2::Digest;

use super::READ_BYTES;
use super::frames::{self, Compression};
use super::target::Packed;

/// The log cannot be read; all other errors have another cause.
#[derive(Debug)]
pub struct Unreadable(io::Error);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read the log: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// A packed log, and a summary of its contents.
pub struct PackedLog {
    /// The object.
    pub packed: Packed,
    /// Lines in it.
    pub lines: u64,
    /// The times of the first and the last hit.
    pub times: Option<(Micros, Micros)>,
}

/// Packs a log into `spool`, an empty file. The lines at the offsets `set_aside`, ascending, are packed like all
/// others, but not parsed.
///
/// # Errors
/// The log cannot be read, the object cannot be written, or it is time to stop.
pub fn pack(
    log: impl Read,
    format: &Format,
    set_aside: &[u64],
    compression: Compression,
    spool: File,
    stop: &Arc<Stop>,
) -> anyhow::Result<PackedLog> {
    let mut log = Stoppable { from: log, stop: Arc::clone(stop) };
    let mut writer = frames::Writer::new(BufWriter::new(spool), compression);
    let mut reader =
        Times { format, set_aside, scratch: vec![0; ARENA_BYTES], now: clock::now(), times: None, lines: 0 };
    let mut raw_sha256 = sha2::Sha256::new();
    let mut lines = Lines::default();
    let mut raw_bytes = 0;
    loop {
        let room = lines.room();
        let n = match log.read(&mut room[..READ_BYTES]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            n => n.map_err(Unreadable)?,
        };
        if n == 0 {
            break;
        }
        raw_sha256.update(&room[..n]);
        writer.write(&room[..n]).context("write the archive object into a temporary file")?;
        raw_bytes += n as u64;
        lines.filled(n);
        while let Some(line) = lines.next_line() {
            reader.line(&line);
        }
    }
    if let Some(line) = lines.last_line() {
        reader.line(&line);
    }
    let written = writer.finish().context("write the archive object into a temporary file")?;
    let file = written
        .to
        .into_inner()
        .map_err(io::IntoInnerError::into_error)
        .context("write the archive object")?;
    let packed = Packed {
        file,
        bytes: written.bytes,
        sha256: written.sha256,
        raw_bytes,
        raw_sha256: raw_sha256.finalize().into(),
    };
    Ok(PackedLog { packed, lines: reader.lines, times: reader.times })
}

/// Collects the times of a log's hits.
struct Times<'a> {
    format: &'a Format,
    set_aside: &'a [u64],
    scratch: Vec<u8>,
    now: Micros,
    times: Option<(Micros, Micros)>,
    lines: u64,
}

impl Times<'_> {
    fn line(&mut self, line: &Line<'_>) {
        if self.set_aside.binary_search(&line.offset).is_ok() {
            self.lines += 1;
            return;
        }
        fault::line(line.bytes);
        let (lines, times) = (&mut self.lines, &mut self.times);
        let mut each = |_: &Line<'_>, parsed: &Parsed<'_>| {
            *lines += 1;
            if let Parsed::Hit(hit) = parsed {
                let (first, last) = times.unwrap_or((hit.occurred_at, hit.occurred_at));
                *times = Some((first.min(hit.occurred_at), last.max(hit.occurred_at)));
            }
            Ok::<(), Infallible>(())
        };
        let Ok(()) = pieces(line, self.format, &Terms::default(), &mut self.scratch, self.now, &mut each);
    }
}
