//! The table of what must be masked, `masked.txt`, and of what must not, `kept.txt`.
//!
//! A heading in brackets says what the lines under it are: names of parameters, one to a word; queries, paths, URLs,
//! JSON texts or values, one to a line. In `masked.txt`, what has to disappear is between « and »; in a name's case it
//! is the whole value. `¦` is left out: it breaks tokens that scanners of repositories would take for real ones.

use super::*;
use crate::arena::Arena;
use crate::enrich::{AgentRules, App, Enriched, Enricher, Privacy};
use crate::hit::Hit;

/// The least entries of each table.
const ENTRIES_MIN: usize = 400;

/// The entries of a table with their headings.
fn entries(table: &str) -> Vec<(String, String)> {
    let (mut heading, mut entries) = (String::new(), Vec::new());
    for line in table.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase())
        {
            name.clone_into(&mut heading);
        } else if heading == "name" {
            entries.extend(line.split_whitespace().map(|name| (heading.clone(), name.to_owned())));
        } else {
            entries.push((heading.clone(), line.replace('¦', "")));
        }
    }
    entries
}

/// What is kept of a text.
fn kept(heading: &str, text: &str) -> String {
    match heading {
        "name" => masked_query(&format!("{text}=abc")),
        "query" => masked_query(text),
        "value" => masked_value(text),
        "parameter" => after(text, text_value),
        "path" => after(text, |text, out| path(text, suspicious(text, true), out)),
        "json" => after(text, json),
        "url" => of_page(text),
        _ => panic!("no such heading: {heading}"),
    }
}

/// What a row keeps of a page's URL, without the scheme; and the same of a referrer.
fn of_page(url: &str) -> String {
    let hit = Hit { page_url: url, referrer: url, app_key: "shop", ..Hit::default() };
    let mut memory = vec![0; 4096];
    let mut arena = Arena::new(&mut memory);
    let mut enricher = Enricher::new(std::sync::Arc::new(AgentRules::builtin()), Privacy::default());
    let Enriched::Row(row) = enricher.enrich(&hit, &App::default(), None, &mut arena) else { panic!() };
    let query = if row.url_query.is_empty() { String::new() } else { format!("?{}", row.url_query) };
    // In a row, the route follows the path.
    let (path, route) = row.url_path.split_at(row.url_path.find('#').unwrap_or(row.url_path.len()));
    let page = format!("https://{}{path}{query}{route}", row.url_host);
    assert_eq!(page, row.referrer, "page and referrer are masked in the same way");
    page
}

#[test]
fn all_that_must_be_masked_is() {
    let entries = entries(include_str!("masked.txt"));
    assert!(entries.len() >= ENTRIES_MIN, "{} entries", entries.len());
    let wrong: Vec<String> = entries
        .iter()
        .filter_map(|(heading, text)| {
            let (sent, expect) = if heading == "name" {
                (text.clone(), format!("{text}={MASK}"))
            } else {
                assert!(text.contains('«'), "{text}: what has to disappear?");
                let mut expect = String::new();
                for (i, piece) in text.split(['«', '»']).enumerate() {
                    expect.push_str(if i % 2 == 0 { piece } else { MASK });
                }
                (text.replace(['«', '»'], ""), expect)
            };
            let got = kept(heading, &sent);
            (got != expect).then(|| format!("{heading}: {sent}\n  is {got}\n  not {expect}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} entries:\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

#[test]
fn all_that_must_not_be_masked_is_kept() {
    let entries = entries(include_str!("kept.txt"));
    assert!(entries.len() >= ENTRIES_MIN, "{} entries", entries.len());
    let wrong: Vec<String> = entries
        .iter()
        .filter_map(|(heading, text)| {
            let got = kept(heading, text);
            let expect = if heading == "name" { format!("{text}=abc") } else { text.clone() };
            (got != expect).then(|| format!("{heading}: {text}\n  is {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} entries:\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

#[test]
fn masked_entries_stay_as_they_are() {
    for (heading, text) in entries(include_str!("masked.txt")) {
        let once = kept(&heading, &text.replace(['«', '»'], ""));
        if heading != "name" {
            assert_eq!(kept(&heading, &once), once, "{heading}: {text}");
        }
    }
}
