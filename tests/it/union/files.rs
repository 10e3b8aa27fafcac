//! How files are made of logs: cut, put together, packed, aged.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::{Duration, SystemTime};

use alt_line::checkpoint::hash;

use super::case::{Cut, Mix, Pack, Piece};
use crate::support::pack::{bzip2, gzip, zstandard};

pub(super) fn age(path: &Path, old: bool) {
    let when = SystemTime::now() - Duration::from_secs(if old { 3600 } else { 0 });
    OpenOptions::new().append(true).open(path).unwrap().set_modified(when).unwrap();
}

pub(super) fn cut<'a>(log: &'a [u8], piece: &Piece) -> &'a [u8] {
    let ends: Vec<usize> = std::iter::once(0)
        .chain(log.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1))
        .collect();
    let place = |cut: Cut, not: usize| match cut {
        Cut::Not => not,
        Cut::Line(part) => ends[(ends.len() - 1) * usize::from(part) / 1000],
        Cut::Byte(part) => log.len() * usize::from(part) / 1000,
    };
    let (from, to) = (place(piece.from, 0), place(piece.to, log.len()));
    &log[from.min(to)..to.max(from)]
}

/// Puts pieces together; all but [`Mix::Concatenated`] go by lines, and end each with a newline.
pub(super) fn mixed(pieces: &[&[u8]], mix: Mix) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let cut: Vec<Vec<&[u8]>> =
        pieces.iter().map(|p| p.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect()).collect();
    match mix {
        Mix::Concatenated => return pieces.concat(),
        Mix::Merged => {
            let most = cut.iter().map(Vec::len).max().unwrap_or(0);
            lines
                .extend((0..most).flat_map(|n| cut.iter().filter_map(move |c| c.get(n))).map(|l| l.to_vec()));
        }
        Mix::Reversed => lines.extend(cut.concat().into_iter().rev().map(<[u8]>::to_vec)),
        Mix::Shuffled(seed) => {
            lines.extend(cut.concat().into_iter().map(<[u8]>::to_vec));
            lines.sort_by_cached_key(|line| (hash(&[line, &[seed][..]].concat()), 0));
        }
    }
    lines
        .into_iter()
        .flat_map(|mut line| {
            line.push(b'\n');
            line
        })
        .collect()
}

/// Without lines that stand there already.
pub(super) fn without_twins(bytes: &[u8]) -> Vec<u8> {
    let mut met = std::collections::HashSet::new();
    let mut kept = Vec::new();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        if bare.is_empty() || met.insert(bare) {
            kept.extend_from_slice(line);
        }
    }
    kept
}

pub(super) fn pack(pack: Pack, content: &[u8]) -> Vec<u8> {
    match pack {
        Pack::Plain => content.to_vec(),
        Pack::Gzip => gzip(content, 1),
        Pack::GzipMany(members) => {
            let size = (content.len() / usize::from(members)).max(1);
            content.chunks(size).flat_map(|chunk| gzip(chunk, 1)).collect()
        }
        Pack::Zstd => zstandard(content, 1),
        Pack::Bzip2 => bzip2(content, 1),
    }
}
