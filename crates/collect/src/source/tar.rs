//! Tar archives, read once from front to back: the files in an archive, and their bytes.
//!
//! Nothing in an archive is trusted: sizes may be false, names are only displayed, and no header takes more memory than
//! the limits here. Invariant: an archive that breaks off, or does not end with an end mark, is an error; every regular
//! file before that was handed out, or refused by name. (The crate `tar` reads extended headers of any size into memory
//! or, in raw mode, does not apply the sizes in them; and it accepts an archive that was cut between two members as
//! whole.)

use std::io::{self, Read};

/// The block size of archives.
const BLOCK: usize = 512;

/// The maximum number of bytes of a name that are kept; the rest is skipped.
const NAME_BYTES_MAX: u64 = 4096;

/// The maximum size of a member's extended header. Real ones have a few hundred bytes.
const EXTENDED_BYTES_MAX: u64 = 1024 * 1024;

/// Whether a file that begins with `head` is an archive.
pub fn begins(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|block: &[u8; BLOCK]| &block[257..262] == b"ustar" && is_sound(block))
}

/// A regular file in an archive.
#[derive(Debug, PartialEq, Eq)]
pub struct Member {
    /// The name, made valid UTF-8 without NUL, and cut if it is very long. Only for display.
    pub name: String,
    /// The size according to the archive.
    pub size: u64,
    /// The time of the last write according to the archive, seconds since 1970.
    pub modified: u64,
    /// The reason why the member cannot be read, if there is one.
    pub refused: Option<&'static str>,
}

/// An archive being read. As [`Read`], it yields the bytes of the member that [`Archive::advance`] last reached.
pub struct Archive<R> {
    stream: R,
    /// Unread bytes of the current member.
    left: u64,
    /// Padding bytes after the member, up to the next block.
    padding: u64,
    /// The name of what is currently read, for messages.
    within: String,
    /// Offset in the archive.
    at: u64,
}

/// What extended headers say about the next member.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: Read> Archive<R> {
    /// Reads the archive in a stream.
    pub fn new(stream: R) -> Archive<R> {
        Archive { stream, left: 0, padding: 0, within: String::new(), at: 0 }
    }

    /// Advances to the next regular file; `None` at the end. Directories and links contain no lines, and are skipped.
    ///
    /// # Errors
    /// The archive is damaged, or breaks off: the rest cannot be read.
    pub fn advance(&mut self) -> io::Result<Option<Member>> {
        let mut extended = Extended::default();
        loop {
            self.pass_over()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(&header[124..136]).ok_or_else(|| self.damaged("its size is none"))?;
            match header[156] {
                b'L' => {
                    self.enter(size);
                    extended.name = Some(self.begin_with(NAME_BYTES_MAX)?);
                }
                b'x' | b'X' => {
                    self.enter(size);
                    self.extended(&mut extended)?;
                }
                // The target of a link, and a header for all members.
                b'K' | b'g' => self.enter(size),
                // A label, or lists of names.
                b'V' | b'D' | b'N' => self.enter(std::mem::take(&mut extended).size.unwrap_or(size)),
                // Links, devices, directories, pipes: no bytes follow, whatever the size field says.
                b'1'..=b'6' => extended = Extended::default(),
                kind => return self.member(&header, kind, size, &extended).map(Some),
            }
        }
    }

    fn member(
        &mut self,
        header: &[u8; BLOCK],
        kind: u8,
        size: u64,
        extended: &Extended,
    ) -> io::Result<Member> {
        self.within = name(header, extended);
        if kind == b'S' {
            self.pass_over_map(header)?;
        }
        self.enter(extended.size.unwrap_or(size));
        let refused = match kind {
            _ if extended.sparse || kind == b'S' => {
                Some("stored with holes (tar --sparse), which is not read: unpack the archive first")
            }
            b'M' => Some("the rest of a file that begins in another archive: unpack both first"),
            0 | b'0' | b'7' => None,
            _ => Some("no regular file, and of no known kind"),
        };
        let modified = number(&header[136..148]).unwrap_or_default();
        Ok(Member { name: self.within.clone(), size: self.left, modified, refused })
    }

    /// The next header; `None` at the end. Concatenated archives count as one.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut ended = false;
        loop {
            let mut block = [0; BLOCK];
            let n = self.block(&mut block)?;
            if (n == BLOCK || n > 0 && ended) && block.iter().all(|&byte| byte == 0) {
                ended = true;
                continue;
            }
            return match n {
                0 if ended => Ok(None),
                0 => Err(cut("the archive ends without the mark of its end: members may be missing")),
                BLOCK if is_sound(&block) => Ok(Some(block)),
                _ if ended => Err(self.damaged("what follows on the end of the archive is not read")),
                BLOCK => Err(self.damaged("no header of a member")),
                _ => Err(cut("the archive breaks off in a header: members are missing")),
            };
        }
    }

    /// Fills a block as far as there are bytes. Returns the number of bytes.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> io::Result<usize> {
        let mut done = 0;
        while done < BLOCK {
            match self.stream.read(&mut block[done..]) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.at += done as u64;
        Ok(done)
    }

    fn enter(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    /// The first bytes of the current member, at most `most`.
    fn begin_with(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.by_ref().take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads records `LENGTH KEY=VALUE\n`.
    fn extended(&mut self, to: &mut Extended) -> io::Result<()> {
        if self.left > EXTENDED_BYTES_MAX {
            return Err(self.damaged("an extended header larger than 1 MiB"));
        }
        let bytes = self.begin_with(EXTENDED_BYTES_MAX)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let Some((key, value, after)) = record(rest) else {
                return Err(self.damaged("an extended header that is none"));
            };
            match key {
                b"path" | b"GNU.sparse.name" => to.name = Some(value.to_vec()),
                b"size" => {
                    to.size = Some(decimal(value).ok_or_else(|| self.damaged("its size is none"))?);
                }
                _ => {}
            }
            to.sparse |= key.starts_with(b"GNU.sparse.");
            rest = after;
        }
        Ok(())
    }

    /// Skips the map of a sparse file, which continues in separate blocks.
    fn pass_over_map(&mut self, header: &[u8; BLOCK]) -> io::Result<()> {
        let mut more = header[482] != 0;
        while more {
            let mut block = [0; BLOCK];
            if self.block(&mut block)? < BLOCK {
                return Err(cut(&format!("the archive breaks off in {}", self.within)));
            }
            more = block[504] != 0;
        }
        Ok(())
    }

    /// Skips the rest of the current member, and its padding.
    fn pass_over(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink())?;
        self.left = std::mem::take(&mut self.padding);
        io::copy(self, &mut io::sink())?;
        self.within.clear();
        Ok(())
    }

    fn damaged(&self, what: &str) -> io::Error {
        let at = self.at - (BLOCK as u64).min(self.at);
        io::Error::new(io::ErrorKind::InvalidData, format!("the archive is damaged near byte {at}: {what}"))
    }
}

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let within = if self.within.is_empty() { "a header" } else { &self.within };
        match self.stream.read(&mut buffer[..most]) {
            Ok(0) => Err(cut(&format!(
                "the archive breaks off in {within}: {} bytes of it are missing",
                self.left
            ))),
            Ok(n) => {
                self.left -= n as u64;
                self.at += n as u64;
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => Err(io::Error::new(e.kind(), format!("in {within}: {e}"))),
        }
    }
}

fn cut(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

/// Whether a header has the checksum that it states. Some old programs added signed bytes.
fn is_sound(block: &[u8; BLOCK]) -> bool {
    let summed = |value: fn(u8) -> i64| -> i64 {
        block
            .iter()
            .enumerate()
            .map(|(i, &byte)| value(if (148..156).contains(&i) { b' ' } else { byte }))
            .sum()
    };
    let said = number(&block[148..156]).and_then(|sum| i64::try_from(sum).ok());
    said.is_some_and(|sum| sum == summed(i64::from) || sum == summed(|byte| i64::from(byte.cast_signed())))
}

/// A number in a header: octal digits, or binary if the first bit is set. `None`: not a number, or a negative one.
fn number(field: &[u8]) -> Option<u64> {
    let (&first, rest) = field.split_first()?;
    let whole = if first & 0x80 != 0 {
        // The second bit is the sign.
        let start = Some(u64::from(first & 0x7f)).filter(|_| first & 0x40 == 0);
        rest.iter().try_fold(start?, |sum, &byte| sum.checked_mul(256)?.checked_add(u64::from(byte)))?
    } else {
        let text = field.split(|&byte| byte == 0).next()?.trim_ascii();
        text.iter().try_fold(0u64, |sum, &byte| match byte {
            b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })?
    };
    // This limit prevents overflows in sums with the number.
    Some(whole).filter(|&whole| whole <= i64::MAX as u64)
}

fn decimal(text: &[u8]) -> Option<u64> {
    let number: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(number).filter(|&number| number <= i64::MAX as u64)
}

/// The first record of an extended header: key, value, and the remaining bytes.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let (record, after) = bytes.split_at_checked(length)?;
    let text = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|&byte| byte == b'=')?;
    Some((&text[..equals], &text[equals + 1..], after))
}

fn name(header: &[u8; BLOCK], extended: &Extended) -> String {
    let field = |from: usize, to: usize| header[from..to].split(|&byte| byte == 0).next().unwrap_or_default();
    let bytes = match &extended.name {
        Some(name) => {
            let end = name.len() - name.iter().rev().take_while(|&&byte| byte == 0).count();
            name[..end.min(usize::try_from(NAME_BYTES_MAX).unwrap_or(usize::MAX))].to_vec()
        }
        // GNU headers use the field differently, where POSIX headers have the beginning of a long path.
        None if &header[257..263] == b"ustar\0" && header[345] != 0 => {
            [field(345, 500), b"/", field(0, 100)].concat()
        }
        None => field(0, 100).to_vec(),
    };
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of a member.
    fn header(kind: u8, name: &[u8], size: u64) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..name.len()].copy_from_slice(name);
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[136..148].copy_from_slice(b"00000000012\0");
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        signed(block)
    }

    fn signed(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn with(mut header: [u8; BLOCK], at: usize, bytes: &[u8]) -> [u8; BLOCK] {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        signed(header)
    }

    /// A member: header, bytes, padding.
    fn member(kind: u8, name: &[u8], bytes: &[u8]) -> Vec<u8> {
        let mut whole = header(kind, name, bytes.len() as u64).to_vec();
        whole.extend_from_slice(bytes);
        whole.resize(whole.len().next_multiple_of(BLOCK), 0);
        whole
    }

    fn pax(records: &[(&str, &str)]) -> Vec<u8> {
        let text: String = records
            .iter()
            .map(|(key, value)| {
                let rest = format!(" {key}={value}\n");
                let length = (rest.len()..).find(|n| n.to_string().len() + rest.len() == *n).unwrap();
                format!("{length}{rest}")
            })
            .collect();
        member(b'x', b"PaxHeaders/x", text.as_bytes())
    }

    const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

    /// The contents of an archive: each name with its bytes, or with the reason for refusal; and the error at the end.
    fn listed(archive: &[u8]) -> (Vec<String>, String) {
        let mut archive = Archive::new(archive);
        let mut found = Vec::new();
        loop {
            match archive.advance() {
                Ok(None) => return (found, String::new()),
                Err(error) => return (found, error.to_string()),
                Ok(Some(Member { name, refused: Some(why), .. })) => found.push(format!("{name}: {why}")),
                Ok(Some(member)) => {
                    let mut text = String::new();
                    if let Err(error) = archive.read_to_string(&mut text) {
                        return (found, error.to_string());
                    }
                    assert_eq!(text.len() as u64, member.size);
                    found.push(format!("{}={text}", member.name));
                }
            }
        }
    }

    #[test]
    fn regular_files_are_handed_out_with_their_names() {
        let long = "d/".repeat(300) + "log";
        let (two, ten) = (b"two\n".as_slice(), b"0123456789".as_slice());
        let cases: [(Vec<u8>, &[&str]); 11] = [
            ([member(b'0', b"a", b"one\n"), member(0, b"b", two)].concat(), &["a=one\n", "b=two\n"]),
            ([member(b'0', b"none", b""), member(b'7', b"b", two)].concat(), &["none=", "b=two\n"]),
            (
                [
                    header(b'5', b"d/", 9).to_vec(), // a size, and no bytes
                    header(b'2', b"link", 0).to_vec(),
                    header(b'1', b"hard", 4).to_vec(),
                    header(b'3', b"device", 0).to_vec(),
                    member(b'D', b"dump", b"Yname\0\0"),
                    member(b'V', b"label", b""),
                    member(b'g', b"global", b"18 comment=nothing\n"),
                    member(b'0', b"b", two),
                ]
                .concat(),
                &["b=two\n"],
            ),
            (
                [member(b'L', b"././@LongLink", (long.clone() + "\0").as_bytes()), member(b'0', b"d", two)]
                    .concat(),
                &[&(long.clone() + "=two\n")],
            ),
            ([pax(&[("path", &long)]), member(b'0', b"d", two)].concat(), &[&(long.clone() + "=two\n")]),
            // The size in an extended header applies to the member, not to another header in between.
            (
                [
                    pax(&[("size", "4"), ("mtime", "1.5")]),
                    member(b'L', b"././@LongLink", b"long name\0"),
                    with(header(b'0', b"d", 0), 124, b"77777777777\0").to_vec(),
                    [two, &[0; 508]].concat(),
                    member(b'0', b"e", ten),
                ]
                .concat(),
                &["long name=two\n", "e=0123456789"],
            ),
            // A binary size, as for files of 8 GiB or more.
            (
                [
                    with(header(b'0', b"d", 0), 124, b"\x80\0\0\0\0\0\0\0\0\0\0\x04").to_vec(),
                    [two, &[0; 508]].concat(),
                ]
                .concat(),
                &["d=two\n"],
            ),
            ([with(header(b'0', b"log", 0), 345, b"prefix").to_vec()].concat(), &["prefix/log="]),
            ([header(b'0', b"\xff\x1b[2J/../../etc", 0).to_vec()].concat(), &["\u{fffd}\x1b[2J/../../etc="]),
            ([pax(&[("path", "a\0b")]), member(b'0', b"d", two)].concat(), &["a\u{fffd}b=two\n"]),
            // Two concatenated archives.
            (
                [member(b'0', b"a", two), END.to_vec(), member(b'0', b"b", two)].concat(),
                &["a=two\n", "b=two\n"],
            ),
        ];
        for (archive, expected) in cases {
            let (found, error) = listed(&[archive, END.to_vec()].concat());
            assert_eq!(
                (found.iter().map(String::as_str).collect::<Vec<_>>(), error.as_str()),
                (expected.to_vec(), "")
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name_and_the_rest_read() {
        let next = member(b'0', b"next", b"n\n");
        let map = [[1; 504].as_slice(), &[1], &[0; 7]].concat();
        let last = [[1; 504].as_slice(), &[0; 8]].concat();
        let cases: [(Vec<u8>, &str); 5] = [
            (member(b'S', b"holes", b"x"), "holes: stored with holes"),
            (
                [with(header(b'S', b"holes", 3), 482, b"\x01").to_vec(), map, last, vec![7; 512]].concat(),
                "holes: stored with holes",
            ),
            (
                [pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "real")]), member(b'0', b"d", b"x")]
                    .concat(),
                "real: stored with holes",
            ),
            (member(b'M', b"rest", b"x"), "rest: the rest of a file"),
            (member(b'Z', b"what", b"x"), "what: no regular file"),
        ];
        for (archive, expected) in cases {
            let (found, error) = listed(&[archive, next.clone(), END.to_vec()].concat());
            assert!(found[0].starts_with(expected), "{found:?}");
            assert_eq!((found.len(), found[1].as_str(), error.as_str()), (2, "next=n\n", ""));
        }
    }

    #[test]
    fn an_archive_that_is_cut_anywhere_is_an_error() {
        let whole =
            [pax(&[("path", "a")]), member(b'0', b"x", b"one\n"), member(b'0', b"b", &[b'2'; 700])].concat();
        for cut in 0..=whole.len() {
            let (found, error) = listed(&whole[..cut]);
            assert!(!error.is_empty(), "cut at {cut}");
            let whole_members = usize::from(cut >= 1540) + usize::from(cut >= 3260);
            assert_eq!(found.len(), whole_members, "cut at {cut}: {error}");
        }
        assert!(listed(&whole[..2600]).1.contains("breaks off in b: 660 bytes of it are missing"));
        // One of the two blocks at the end is enough.
        let (found, error) = listed(&[whole, vec![0; BLOCK]].concat());
        assert_eq!((found.len(), error.as_str()), (2, ""));
    }

    #[test]
    fn headers_that_lie_are_errors_and_take_no_memory() {
        let first = member(b'0', b"a", b"one\n");
        let cases: [(Vec<u8>, &str); 9] = [
            (header(b'0', b"b", 0o77_777_777_777).to_vec(), "breaks off in b: 8589934591 bytes"),
            (with(header(b'0', b"b", 0), 124, &[0xff; 12]).to_vec(), "its size is none"),
            (
                with(header(b'0', b"b", 0), 124, b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
                    .to_vec(),
                "its size is none",
            ),
            (with(header(b'0', b"b", 0), 124, b"12z").to_vec(), "its size is none"),
            (vec![b'x'; BLOCK], "no header of a member"),
            (header(b'x', b"x", 1 << 32).to_vec(), "larger than 1 MiB"),
            (member(b'x', b"x", b"99 path=short\n"), "an extended header that is none"),
            ([pax(&[("size", "-1")]), member(b'0', b"b", b"")].concat(), "its size is none"),
            (header(b'L', b"x", 1 << 32).to_vec(), "breaks off in a header"),
        ];
        for (lie, expected) in cases {
            let (found, error) = listed(&[first.clone(), lie].concat());
            assert_eq!(found, ["a=one\n"]);
            assert!(error.contains(expected), "{error}");
        }
        let (found, error) = listed(&[first, END.to_vec(), b"203.0.113.1 - -".repeat(99)].concat());
        assert_eq!((found.len(), error.contains("follows on the end")), (1, true), "{error}");
    }

    #[test]
    fn a_log_is_no_archive() {
        let sound = header(b'0', b"a", 0);
        assert!(begins(&sound) && begins(&with(sound, 257, b"ustar  \0")));
        let mut other = sound;
        other[0] = b'b';
        let old = with(sound, 257, &[0; 8]);
        for head in [&b""[..], b"alt1\t", &sound[..511], &other, &old, &[b'u'; BLOCK], &[0; BLOCK]] {
            assert!(!begins(head));
        }
    }
}
