//! `alt tail`: shows hits as they arrive, for a person who watches.
//!
//! linemux follows files by name and by events. It may leave lines out around a rotation and gives no offsets, which is
//! good enough only for a person who watches. Loading has its own reader.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alt_collect::source::logs::{Logs, is_seen};
use alt_config::Config;
use alt_line::arena::ARENA_BYTES;
use alt_line::hit::{Hit, Parsed};
use alt_line::lines::Line;
use alt_line::parse::Format;
use alt_line::processor::pieces;
use alt_process::clock;
use anyhow::Context;
use linemux::MuxedLines;

use super::{Out, Outcome, parse, show};
use crate::cli;

/// Watches until Ctrl-C.
///
/// # Errors
/// A log cannot be watched.
pub async fn run(config: &Config, args: &cli::Tail, out: Out<'_>) -> anyhow::Result<Outcome> {
    let logs = logs(config, args)?;
    let terms = config.track.terms()?;
    let mut scratch = vec![0; ARENA_BYTES];
    let mut lines = watch(&logs).await?;
    loop {
        let next = tokio::select! {
            next = lines.next_line() => next,
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Done),
        };
        let line = match next {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(Outcome::Done),
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                // linemux's reader ends at such a line: start a new watch from here
                writeln!(out, "(a line that is not UTF-8 is left out; `alt parse` shows it)")?;
                out.flush()?;
                lines = watch(&logs).await?;
                continue;
            }
            Err(e) => return Err(e).context("watch the logs"),
        };
        let format = logs.iter().find(|log| log.0 == line.source()).or(logs.first()).map(|log| log.1.clone());
        let Some(format) = format else { return Ok(Outcome::Done) };
        let name = (logs.len() > 1).then(|| line.source().display().to_string());
        let bytes = line.line().as_bytes();
        let line = Line { offset: 0, span: bytes.len() as u64, bytes, too_long: false };
        pieces::<anyhow::Error>(&line, &format, &terms, &mut scratch, clock::now(), &mut |piece, parsed| {
            if let Some(name) = &name {
                write!(out, "{}  ", show::safe(name))?;
            }
            writeln!(out, "{}", readable(piece, parsed))?;
            Ok(())
        })?;
        out.flush()?;
    }
}

async fn watch(logs: &[(PathBuf, Arc<Format>)]) -> anyhow::Result<MuxedLines> {
    let mut lines = MuxedLines::new().context("watch files")?;
    for (path, _) in logs {
        lines.add_file(path).await.with_context(|| format!("watch {}", path.display()))?;
    }
    Ok(lines)
}

fn logs(config: &Config, args: &cli::Tail) -> anyhow::Result<Vec<(PathBuf, Arc<Format>)>> {
    let mut logs = Vec::new();
    let format = Arc::new(parse::compile(&args.format, args.pixel.as_deref(), args.status.as_deref())?);
    for file in &args.files {
        let path = std::path::absolute(file).with_context(|| format!("watch {}", file.display()))?;
        logs.push((path, format.clone()));
    }
    if args.files.is_empty() {
        let live = Logs::of(config).look();
        for (n, source) in config.sources.iter().enumerate() {
            let format =
                Arc::new(parse::compile(&source.format, source.pixel.as_deref(), source.status.as_deref())?);
            let there = live.paths_of(n).filter(|path| std::fs::metadata(path).is_ok()).map(Path::to_owned);
            // a log that does not exist yet is waited for
            let waited = source.paths.iter().filter(|path| !is_seen(path)).map(PathBuf::from);
            logs.extend(there.chain(waited).map(|path| (path, format.clone())));
        }
    }
    for (path, _) in &logs {
        readable_or_absent(path)?;
    }
    Ok(logs)
}

fn readable_or_absent(path: &Path) -> anyhow::Result<()> {
    match alt_collect::source::unpack::regular(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), "there is no such log yet: waiting for it");
            Ok(())
        }
        Err(e) => Err(e).with_context(|| format!("open {}", path.display())),
    }
}

/// One line for the terminal; nothing in it can control the terminal.
fn readable(line: &Line<'_>, parsed: &Parsed<'_>) -> String {
    match parsed {
        Parsed::Hit(hit) => show::safe(&hit_line(hit)).into_owned(),
        Parsed::NonHit(why) => {
            let text = parse::non_hit(*why).into_iter().map(|(_, value)| value.to_string().replace('"', ""));
            format!("non-hit  {}", text.collect::<Vec<_>>().join(" "))
        }
        Parsed::Reject(reject) => {
            let raw = String::from_utf8_lossy(&line.bytes[..line.bytes.len().min(160)]);
            format!("reject   {}  {}", reject.reason, show::safe(&raw))
        }
    }
}

fn hit_line(hit: &Hit<'_>) -> String {
    let time = parse::time(hit.occurred_at);
    let clock = time.get(11..23).unwrap_or(&time);
    let ip = hit.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let page = if hit.page_url.is_empty() { "-" } else { hit.page_url };
    let status = hit.status.map(|status| status.to_string()).unwrap_or_default();
    let whose = if hit.app_key.is_empty() { hit.site } else { hit.app_key };
    let mut text = format!("{clock}  {whose:<16} {:<11} {ip:<15} {page}", hit.event_type);
    if hit.event_type == "request" {
        text = format!("{clock}  {ip:<15} {:<6} {status:<3} {page}", hit.method);
    }
    for (name, value) in
        [("title", hit.title), ("ref", hit.referrer), ("user", hit.user_id), ("ua", hit.user_agent)]
    {
        if !value.is_empty() {
            text += &format!("  {name}={value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_controls_the_terminal() {
        let hit = Hit {
            app_key: "k",
            event_type: "page\x1b[2Jview",
            page_url: "https://a/\u{202e}b\u{9b}1m",
            title: "a\nb",
            ..Hit::default()
        };
        let line = Line { offset: 0, span: 1, bytes: b"\x1b]0;x\x07", too_long: false };
        let shown = readable(&line, &Parsed::Hit(hit));
        insta::assert_snapshot!(shown, @r"00:00:00.000  k                page\x1b[2Jview                 https://a/\u{202e}b\x9b1m  title=a\nb");
        let reject = alt_line::hit::Reject::new(alt_line::hit::Reason::Shape);
        insta::assert_snapshot!(readable(&line, &Parsed::Reject(reject)), @r"reject   shape  \x1b]0;x\x07");
    }
}
