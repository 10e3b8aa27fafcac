//! `alt archive get`: gets a log, or the one line of a row, as nginx wrote it.

use std::io::{self, BufRead, BufReader, Read};

use alt_collect::archive::frames::{Table, locate};
use alt_collect::archive::target::{Bytes, Target};
use alt_collect::source::unpack;
use alt_config::Config;
use alt_line::lines::LINE_BYTES_MAX;
use alt_process::clock;
use alt_store::files::{self, Whereabouts};
use anyhow::{Context, bail};

use crate::cli;
use crate::cmd::when::when;
use crate::cmd::{Out, Outcome, block_on, reader};

/// How far from the given time to search for a row.
const AROUND_MICROS: i64 = 3_600_000_000;

/// How many bytes of an object's end are fetched first: enough for a table of 8,000 frames.
const END_BYTES: u64 = 64 * 1024;

pub(super) fn run(config: &Config, args: &cli::ArchiveGet, out: Out<'_>) -> anyhow::Result<Outcome> {
    if let Some(object) = &args.object {
        whole(config, object, out)?;
        return Ok(Outcome::Done);
    }
    let (file, offset) = match (&args.event, args.file, args.offset) {
        (Some(event), _, _) => of_event(config, event, args.around.as_deref().unwrap_or_default())?,
        (None, Some(file), Some(offset)) => (file, offset),
        _ => bail!("say which: an object, --event with --around, or --file with --offset"),
    };
    let line = line(config, file, offset)?;
    out.write_all(&line)?;
    if !line.ends_with(b"\n") {
        writeln!(out)?;
    }
    Ok(Outcome::Done)
}

/// Writes the log in an object.
fn whole(config: &Config, object: &str, out: Out<'_>) -> anyhow::Result<()> {
    let (target, key) = if object.contains("://") {
        super::of_uri(config, object)?
    } else {
        (super::configured(config)?, object.to_owned())
    };
    let mut log = unpack::unpacked(target.read(&key, Bytes::All)?)?;
    io::copy(&mut log, out).with_context(|| format!("read {}", target.uri(&key)))?;
    Ok(())
}

/// The file and the offset of the line of an event.
fn of_event(config: &Config, event: &uuid::Uuid, around: &str) -> anyhow::Result<(i32, u64)> {
    let at = when(around, clock::now()).map_err(|e| anyhow::anyhow!("--around: {e}"))?;
    let (first, last) = (at - AROUND_MICROS, at + AROUND_MICROS);
    let found = block_on(async {
        let mut reader = reader(config).await?;
        reader.read(async |client| files::line_of_event(client, event, first, last).await).await
    })?;
    found.with_context(|| format!("there is no event {event} within an hour of that time"))
}

/// The line at an offset of a file: from the archive, or from the file itself if it is here.
fn line(config: &Config, file: i32, offset: u64) -> anyhow::Result<Vec<u8>> {
    let found = block_on(async {
        let mut reader = reader(config).await?;
        reader.read(async |client| files::whereabouts(client, file).await).await
    })?;
    let Some(Whereabouts { host, path, object }) = found else { bail!("there is no file {file}") };
    if let Some((uri, bytes)) = object {
        let (target, key) = super::of_uri(config, &uri)?;
        return in_object(target.as_ref(), &key, bytes, offset).with_context(|| format!("read {uri}"));
    }
    let log = unpack::open(std::path::Path::new(&path))
        .with_context(|| format!("the file is not in the archive; read {host}:{path}"))?;
    first_line(log, offset).with_context(|| format!("read {path}"))
}

/// The line at an offset of the log in an object. If the object has a table, only one frame is fetched.
fn in_object(target: &dyn Target, key: &str, bytes: u64, offset: u64) -> anyhow::Result<Vec<u8>> {
    let mut wanted = END_BYTES.min(bytes);
    loop {
        let mut end = Vec::new();
        target.read(key, Bytes::Last(wanted))?.read_to_end(&mut end)?;
        match locate(&end, offset) {
            Table::Frame(place) => {
                let frame = target.read(key, Bytes::From(place.at, place.bytes))?;
                let line = first_line(unpack::unpacked(frame)?, offset - place.raw_at)?;
                // Our frames end with a line. A line in other frames may continue in the next frame.
                if line.ends_with(b"\n") || locate(&end, place.raw_at + place.raw_bytes) == Table::Beyond {
                    return Ok(line);
                }
                return first_line(unpack::unpacked(target.read(key, Bytes::All)?)?, offset);
            }
            Table::Beyond => bail!("the log ends before offset {offset}"),
            Table::More(more) if more > wanted && more <= bytes => wanted = more,
            Table::More(_) | Table::None => {
                return first_line(unpack::unpacked(target.read(key, Bytes::All)?)?, offset);
            }
        }
    }
}

/// The line that begins at an offset of a stream, up to the maximum length of a line.
fn first_line(mut log: impl Read, offset: u64) -> anyhow::Result<Vec<u8>> {
    let skipped = io::copy(&mut log.by_ref().take(offset), &mut io::sink())?;
    let mut line = Vec::new();
    BufReader::new(log.take(LINE_BYTES_MAX as u64 + 1)).read_until(b'\n', &mut line)?;
    if skipped < offset || line.is_empty() {
        bail!("the log ends before offset {offset}");
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_line_at_an_offset() {
        let line = |offset| first_line(Cursor::new("one\ntwo\nthree"), offset).ok();
        assert_eq!(line(0).as_deref(), Some(&b"one\n"[..]));
        assert_eq!(line(4).as_deref(), Some(&b"two\n"[..]));
        assert_eq!(line(8).as_deref(), Some(&b"three"[..]));
        assert_eq!((line(13), line(99)), (None, None));
    }
}
