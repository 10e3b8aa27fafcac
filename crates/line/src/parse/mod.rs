//! Lines to hits.
//!
//! A [`Format`] is compiled once from the configuration and then parses any bytes: every line is a hit, a
//! non-hit or a reject with its reason. The parser never panics. It borrows from the line what needs no decoding;
//! decoded text goes into the caller's arena.

mod alt1;
mod beacon;
mod escape;
mod forwarded;
mod front;
mod json;
mod jsonb;
mod leaves;
mod list;
mod log_format;
mod matcher;
mod pixel;
mod query;
mod request;
mod role;
mod source;
mod spec;
mod statuses;
mod syslog;
mod terms;

pub use log_format::{FormatError, LogFormat};
pub use pixel::Pixel;
pub use spec::{Spec, SpecError};
pub use statuses::Statuses;
pub use terms::Terms;

use super::arena::Arena;
use super::hit::{Hit, NoHit, Parsed};

/// How the lines of a source are written.
#[derive(Debug)]
pub enum Format {
    /// The collector's own format.
    Alt1,
    /// A site's own access log, or the log of another product's pixel.
    LogFormat(Box<LogFormat>),
}

impl Format {
    /// Compiles the name of a format (`alt1`, `combined`, `common`, `vhost_combined`) or an nginx
    /// `log_format`: its string, or the whole directive.
    ///
    /// # Errors
    /// Says what is wrong, at which byte, and how to mend it.
    pub fn compile(text: &str) -> Result<Format, FormatError> {
        match text.trim() {
            "alt1" => Ok(Format::Alt1),
            _ => LogFormat::compile(text).map(|format| Format::LogFormat(Box::new(format))),
        }
    }

    /// Compiles a description of a log.
    ///
    /// # Errors
    /// Says which part of it is wrong, and how to mend it.
    pub fn of(spec: &Spec) -> Result<Format, SpecError> {
        let error = |part, what: String| SpecError { part, what };
        let format = Format::compile(&spec.format).map_err(|e| error("format", e.to_string()))?;
        let pixel = spec.pixel.as_deref().map(Pixel::compile).transpose();
        let statuses = spec.status.as_deref().map(Statuses::compile).transpose();
        let statuses = statuses.map_err(|what| error("status", what))?;
        match (format, pixel.map_err(|what| error("pixel", what))?) {
            (Format::Alt1, Some(_)) => {
                let what =
                    "alt1 is what our own pixel logs; give the format of the foreign pixel's log (combined)";
                Err(error("pixel", what.to_owned()))
            }
            (Format::Alt1, None) if !spec.sites.is_empty() => {
                let what = "lines of alt1 name their applications themselves; leave the sites out";
                Err(error("sites", what.to_owned()))
            }
            (Format::Alt1, None) if statuses.is_some() => {
                let what = "lines of alt1 are events if their status is 2xx; leave the choice out";
                Err(error("status", what.to_owned()))
            }
            (Format::Alt1, None) => Ok(Format::Alt1),
            (Format::LogFormat(format), pixel) => {
                let format = format.with(pixel, statuses).map_err(|what| error("pixel", what))?;
                Ok(Format::LogFormat(Box::new(format)))
            }
        }
    }

    /// The product whose pixel was logged, or `custom`.
    pub fn pixel(&self) -> Option<&'static str> {
        match self {
            Format::Alt1 => None,
            Format::LogFormat(format) => format.pixel().map(Pixel::name),
        }
    }

    /// `alt1`, `combined`, `common`, `vhost_combined` or `custom`.
    pub fn name(&self) -> &str {
        match self {
            Format::Alt1 => "alt1",
            Format::LogFormat(format) => format.name(),
        }
    }

    /// Whether every hit of this format has an id of its own (`$request_id`).
    pub fn carries_id(&self) -> bool {
        match self {
            Format::Alt1 => true,
            Format::LogFormat(format) => format.carries_id(),
        }
    }

    /// Whether hits name their application.
    pub fn carries_app(&self) -> bool {
        matches!(self, Format::Alt1)
    }

    /// Where the next line starts within a line that consists of several, after a torn write (more than 0).
    pub fn next_piece(&self, line: &[u8]) -> Option<usize> {
        match self {
            Format::Alt1 => alt1::next_piece(line),
            Format::LogFormat(_) => None,
        }
    }

    /// Parses a line without its newline, or a piece of one that is `torn`: cut off by the next piece.
    pub fn parse<'a>(&self, line: &'a [u8], torn: bool, terms: &Terms, arena: &mut Arena<'a>) -> Parsed<'a> {
        let mut hit = Hit::default();
        match self.parse_into(&mut hit, line, torn, terms, arena) {
            Ok(()) => Parsed::Hit(hit),
            Err(no_hit) => no_hit.into(),
        }
    }

    /// As [`Format::parse`], into an empty `hit`: a hit has hundreds of bytes, which each move would copy.
    ///
    /// # Errors
    /// The line is no hit, and the content of `hit` is meaningless.
    pub fn parse_into<'a>(
        &self,
        hit: &mut Hit<'a>,
        line: &'a [u8],
        torn: bool,
        terms: &Terms,
        arena: &mut Arena<'a>,
    ) -> Result<(), NoHit> {
        match self {
            Format::Alt1 => alt1::parse(hit, line, torn, terms, arena),
            Format::LogFormat(format) => format.parse(hit, line, torn, terms, arena),
        }
    }

    /// Whether a line that is no hit says that the visitor asked not to be tracked. `hit` is what could be read of it.
    /// Of a line that is too broken to have fields, this is unknown.
    pub fn opted_out(&self, hit: &Hit<'_>, line: &[u8]) -> bool {
        hit.opted_out || (matches!(self, Format::Alt1) && alt1::opted_out(line))
    }

    /// As [`Format::parse_into`], for a line that is surely not torn. `None`: call [`Format::next_piece`] first.
    pub fn parse_whole<'a>(
        &self,
        hit: &mut Hit<'a>,
        line: &'a [u8],
        terms: &Terms,
        arena: &mut Arena<'a>,
    ) -> Option<Result<(), NoHit>> {
        match self {
            Format::Alt1 => alt1::parse_whole(hit, line, terms, arena),
            Format::LogFormat(format) => Some(format.parse(hit, line, false, terms, arena)),
        }
    }
}

#[cfg(test)]
mod tests;
