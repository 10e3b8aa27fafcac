//! Requests for the tracking pixel of another product: the query string says what happened.
//!
//! For each product, a table ([`products`]) says what its parameters mean, and a rule what the event is. Invariant: the
//! first value of every parameter goes into a field, into `params` under its own name, or is on the product's list of
//! parameters without a meaning; further values go into `params`. A client address goes only into the hit's own field, and only from a trusted sender.

mod custom;
mod event;
mod products;

use self::event::Event;
use super::beacon::{Parameter, Params};
use super::query;
use super::request::Target;
use super::source::Source;
use super::terms::Terms;
use crate::arena::Arena;
use crate::hit::{Hit, NonHit};

/// What a parameter of another product means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The same as a parameter of the beacon.
    Ours(Parameter),
    /// The site's name, by which the application is found; also kept in `params`.
    Site,
    /// The host of the page; the page itself is only a path.
    Hostname,
    /// Width and height: `1280x1024`, `1280,1024,1`.
    Screen,
    /// The browser's language.
    Language,
    /// The event's time: seconds since 1970, or a date and a time in UTC.
    Time,
    /// The client's address; used only from trusted senders, and not kept otherwise.
    Address,
    /// The user agent; likewise.
    Agent,
    /// An input of the product's rule.
    Tells(Tell),
    /// Random numbers, bookkeeping, a browser's plugins.
    Nothing,
}

/// An input of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tell {
    Recorded,
    Ping,
    Action,
    Content,
    Interaction,
    Download,
    Link,
    Goal,
    Order,
    Product,
    Custom,
    Kind,
    Path,
    IsEvent,
    Query,
    Robot,
}

const TELLS: usize = Tell::Robot as usize + 1;

/// Sets what the event is; false if the request is no event.
type Rule = fn(&mut Event<'_, '_>) -> bool;

/// How the path of a request for the pixel ends.
#[derive(Debug)]
enum Path {
    End(String),
    /// With this folder and the site's name.
    Site(&'static str),
}

/// A product's pixel, or a pixel that the user described.
#[derive(Debug)]
pub struct Pixel {
    name: &'static str,
    paths: Vec<Path>,
    names: Vec<(Box<str>, Meaning)>,
    /// A hash table of indices of `names`: each is at its [`slot`], or in the next that was free.
    slots: [u8; SLOTS],
    rule: Rule,
}

const SLOTS: usize = 256;

/// The most names of one pixel, so that more than half of the slots are free.
const NAMES_MAX: usize = 100;

/// A free slot.
const FREE: u8 = u8::MAX;

impl Pixel {
    /// Compiles the name of a product (`matomo`, `goatcounter`, `plausible`, `umami`), perhaps with another path
    /// (`matomo:/stats.php`); or the path of a pixel, and for each of its parameters the beacon's parameter that means
    /// the same: `/px.gif?url=u&ref=r&rnd=`.
    ///
    /// # Errors
    /// Says what is wrong, and how to mend it.
    pub fn compile(text: &str) -> Result<Pixel, String> {
        let text = text.trim();
        let (name, moved) = match text.split_once(':') {
            Some((name, path)) if path.starts_with('/') => (name, Some(path)),
            _ => (text, None),
        };
        let Some(product) = products::ALL.iter().find(|product| product.name.eq_ignore_ascii_case(name))
        else {
            return custom::compile(text);
        };
        let mut pixel = product.pixel();
        if let Some(path) = moved {
            pixel.paths.push(custom::path(path)?);
        }
        Ok(pixel)
    }

    /// The product's name, or `custom`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A pixel with at most [`NAMES_MAX`] names, which are distinct.
    fn new(name: &'static str, paths: Vec<Path>, names: Vec<(Box<str>, Meaning)>, rule: Rule) -> Pixel {
        let mut slots = [FREE; SLOTS];
        for (at, (known, _)) in (0..FREE).zip(&names) {
            let mut place = slot(known);
            while slots[place] != FREE {
                place = (place + 1) % SLOTS;
            }
            slots[place] = at;
        }
        Pixel { name, paths, names, slots, rule }
    }

    /// Reads the request into `hit`, which has the other fields of the line already. `refused`: a request for the pixel
    /// is this non-hit, for its status.
    pub(super) fn read<'a>(
        &self,
        target: &Target<'a>,
        refused: Option<NonHit>,
        hit: &mut Hit<'a>,
        params: &mut Params<'a>,
        terms: &Terms,
        arena: &mut Arena<'a>,
    ) -> Result<(), NonHit> {
        let (method, path, query) = target.parts();
        let Some(site) = self.site_of(path) else { return Err(NonHit::Other) };
        if let Some(refused) = refused {
            return Err(refused);
        }
        if !matches!(method, "GET" | "POST" | "") {
            return Err(NonHit::Method);
        }
        hit.method = method;
        let trusted = hit.ip.is_some_and(|ip| terms.trusts(ip));
        let mut event = Event::new(hit, params, arena, site, trusted);
        let mut pairs = query::Pairs::new(query.as_bytes(), Source::of_text(query));
        let mut seen = [0_u64; 2];
        while let Some(pair) = pairs.next() {
            let (name, text) = (pair.name(event.arena), pair.value(event.arena));
            match self.find(name) {
                None => event.keep(name, text),
                Some(at) => {
                    let (word, bit) = (&mut seen[at / 64 % 2], 1 << (at % 64));
                    if *word & bit == 0 {
                        event.see(name, text, self.names[at].1);
                    } else {
                        event.see_again(name, text, self.names[at].1);
                    }
                    *word |= bit;
                }
            }
        }
        event.keep_site_of_path();
        if !(self.rule)(&mut event) {
            return Err(NonHit::Other);
        }
        event.finish();
        Ok(())
    }

    /// If the path is the pixel's: the site that it names, or `""`.
    fn site_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.paths.iter().find_map(|known| match known {
            Path::End(end) => path.ends_with(end.as_str()).then_some(""),
            Path::Site(folder) => {
                let last = path.rfind('/')? + 1;
                (last < path.len() && path[..last].ends_with(folder)).then_some(&path[last..])
            }
        })
    }

    fn find(&self, name: &str) -> Option<usize> {
        let mut place = slot(name);
        loop {
            let at = self.slots[place];
            let (known, _) = self.names.get(usize::from(at))?;
            if **known == *name {
                return Some(usize::from(at));
            }
            place = (place + 1) % SLOTS;
        }
    }
}

/// The slot where a name is searched for first: names of one product differ by length, first and last letter.
fn slot(name: &str) -> usize {
    let (first, last) = match name.as_bytes() {
        [] => (0, 0),
        [only] => (usize::from(*only), 0),
        [first, .., last] => (usize::from(*first), usize::from(*last)),
    };
    (name.len() * 37 + first * 7 + last * 13) % SLOTS
}

/// The beginning of an absolute URL, up to its host and port: `https://shop.example`. `""` if the URL contains a user
/// name, which must not be kept.
fn origin(url: &str) -> &str {
    let scheme = url.bytes().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')));
    let Some(scheme) = scheme.filter(|at| *at > 0 && url[*at..].starts_with("://")) else { return "" };
    let host = scheme + 3;
    let end = memchr::memchr3(b'/', b'?', b'#', &url.as_bytes()[host..]).map_or(url.len(), |at| host + at);
    if end == host || url[..end].contains('@') { "" } else { &url[..end] }
}

/// Whether a URL is only a path.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//")
}

#[cfg(test)]
mod tests;
