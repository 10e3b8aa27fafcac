//! A pixel that the user describes by a request: its path, and its parameters, each with the beacon's parameter that
//! means the same as value (`/px.gif?url=u&ref=r&site=a&rnd=`).

use super::super::beacon::Parameter;
use super::super::query;
use super::super::source::Source;
use super::{Meaning, NAMES_MAX, Path, Pixel, products};
use crate::arena::Arena;

pub(super) fn compile(text: &str) -> Result<Pixel, String> {
    let known = products::ALL.map(|product| product.name).join(", ");
    if !text.starts_with('/') {
        return Err(format!(
            "`{text}` is no pixel that is known ({known}), and no path: describe your own by its path and what \
             its parameters are in the words of a beacon, as in '/px.gif?url=u&ref=r&site=a'"
        ));
    }
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let path = self::path(path)?;
    let mut names: Vec<(Box<str>, Meaning)> = Vec::new();
    let mut buffer = vec![0; 4 * query.len()];
    let mut arena = Arena::new(&mut buffer);
    let mut pairs = query::Pairs::new(query.as_bytes(), Source::of_text(query));
    while let Some(pair) = pairs.next() {
        let (theirs, ours) = (pair.name(&mut arena), pair.value(&mut arena));
        if theirs.is_empty() {
            return Err(format!("`={ours}`: a parameter of the pixel stands before the ="));
        }
        if names.iter().any(|(name, _)| **name == *theirs) {
            return Err(format!("`{theirs}` is there twice: a parameter has one meaning"));
        }
        if names.len() == NAMES_MAX {
            return Err(format!(
                "more than {NAMES_MAX} parameters: leave out those that are only to be kept"
            ));
        }
        names.push((theirs.into(), meaning(theirs, ours)?));
    }
    Ok(Pixel::new("custom", vec![path], names, |_| true))
}

pub(super) fn path(text: &str) -> Result<Path, String> {
    if text.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#')) {
        return Err(format!("`{text}` is no path of a request: percent-encode what stands in it"));
    }
    Ok(Path::End(text.to_owned()))
}

fn meaning(theirs: &str, ours: &str) -> Result<Meaning, String> {
    Ok(match (ours, Parameter::named(ours.as_bytes())) {
        ("", _) => Meaning::Nothing,
        ("ip_address", _) => Meaning::Address,
        ("user_agent", _) => Meaning::Agent,
        (_, Some(Parameter::Application)) => Meaning::Site,
        (_, Some(parameter)) => Meaning::Ours(parameter),
        (_, None) => {
            let all: Vec<&str> = Parameter::ALL.iter().map(|parameter| parameter.long()).collect();
            return Err(format!(
                "`{theirs}={ours}`: a beacon has no `{ours}`; after the = stands one of {}, or a short name of \
                 these (a, e, u, r, t …), or nothing to leave it out",
                all.join(", ")
            ));
        }
    })
}
