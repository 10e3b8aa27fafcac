//! Writes lines of made traffic: `traffic --help`.

use std::fs::{File, OpenOptions};
use std::io::{Write, stdout};
use std::time::{Duration, UNIX_EPOCH};

use traffic::Traffic;

const HELP: &str = "\
Writes lines of made traffic, the same for the same seed.

  traffic [OPTIONS]

  --lines N         how many (1000)
  --format F        alt1, combined or matomo (alt1)
  --seed N          of the visitors; the sites are always the same (1)
  --largest N       percent of the visits that are of the first site, besides its share of the others (0)
  --rate N          lines in a second of their times (92.6: a million in three hours)
  --end MS          time of about the last line, milliseconds since 1970 (now)
  --age S           that many seconds before --end (0)
  --output FILE     appends to it (standard output)
  --live            writes each line at its time, from now on, and not at once
  --sql             writes the SQL that registers the applications, and nothing else
";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut lines, mut seed, mut rate, mut age_s) = (1000_u64, 1, 1e6 / (3.0 * 3600.0), 0_u64);
    let mut largest = 0_u8;
    let (mut end_ms, mut format, mut output, mut live, mut sql) =
        (now_ms(), "alt1".to_owned(), None, false, false);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| refuse(&format!("{name} wants a value")));
        match name.as_str() {
            "--lines" => lines = number(&value()),
            "--seed" => seed = number(&value()),
            "--largest" => largest = number(&value()),
            "--rate" => rate = number(&value()),
            "--end" => end_ms = number(&value()),
            "--age" => age_s = number(&value()),
            "--format" => format = value(),
            "--output" => output = Some(value()),
            "--live" => live = true,
            "--sql" => sql = true,
            "--help" => return print!("{HELP}"),
            _ => refuse(&format!("{name} is no option")),
        }
    }
    let write: fn(&mut Traffic, &mut Vec<u8>) = match format.as_str() {
        "alt1" => Traffic::alt1,
        "combined" => Traffic::combined,
        "matomo" => Traffic::matomo,
        _ => refuse(&format!("{format} is no format")),
    };
    let span_ms = (lines as f64 * 1000.0 / rate) as u64;
    let first_ms = if live { now_ms() } else { end_ms.saturating_sub(age_s * 1000 + span_ms) };
    let mut traffic = Traffic::mostly(largest, seed, first_ms, rate);
    let mut to: Box<dyn Write> = match &output {
        Some(path) => Box::new(append(path)),
        None => Box::new(stdout().lock()),
    };
    let done = if sql {
        to.write_all(traffic.sql().as_bytes())
    } else if live {
        write_live(&mut traffic, write, lines, &mut to)
    } else {
        write_at_once(&mut traffic, write, lines, &mut to)
    };
    if let Err(e) = done {
        refuse(&format!("write: {e}"));
    }
}

fn write_at_once(
    traffic: &mut Traffic,
    write: fn(&mut Traffic, &mut Vec<u8>),
    lines: u64,
    to: &mut dyn Write,
) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(1 << 18);
    for _ in 0..lines {
        write(traffic, &mut buffer);
        if buffer.len() > 1 << 17 {
            to.write_all(&buffer)?;
            buffer.clear();
        }
    }
    to.write_all(&buffer)
}

/// A line is written within a millisecond or two of its time. Where the machine lets us wait, it is late, and its time
/// says so: who measures how old a line is measures from when it was due.
fn write_live(
    traffic: &mut Traffic,
    write: fn(&mut Traffic, &mut Vec<u8>),
    lines: u64,
    to: &mut dyn Write,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    let mut written = 0;
    while written < lines {
        while written < lines && traffic.next_ms() <= now_ms() {
            write(traffic, &mut buffer);
            written += 1;
        }
        to.write_all(&buffer)?;
        buffer.clear();
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn append(path: &str) -> File {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.unwrap_or_else(|e| refuse(&format!("open {path}: {e}")))
}

fn now_ms() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64)
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| refuse(&format!("{text} is no number")))
}

fn refuse(why: &str) -> ! {
    eprintln!("error: {why}; see traffic --help");
    std::process::exit(2);
}
