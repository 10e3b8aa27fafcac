//! The beacon's script: fills in the templates that `beacon/build.mjs` minified, and makes the HTML that loads the
//! script into a page.
//!
//! A script contains no application: the page names it in the tag (`data-a`), so that one file serves all applications.

use std::fmt::Write as _;

use alt_line::parse::Terms;
use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha384};

/// The templates, and their source maps.
const DEFAULT: (&str, &str) =
    (include_str!("../beacon/beacon.min.js"), include_str!("../beacon/beacon.min.js.map"));
const FULL: (&str, &str) =
    (include_str!("../beacon/beacon.full.min.js"), include_str!("../beacon/beacon.full.min.js.map"));

/// The file name extensions of downloads, as parts of a regular expression.
pub const DOWNLOADS: &str = "pdf,zip,docx?,xlsx?,csv";

/// More extensions, for `--downloads long`, in an order that compresses well.
pub const DOWNLOADS_LONG: &str =
    "pkg,pdf,rar,exe,xlsx?,iso,zip,od[pst],docx?,mp[34],dmg,pptx?,mov,t?gz,apk,csv,txt,7z,avi";

/// Looks ahead for parts of a parameter's name which show that its value is a secret or personal. Loading masks more than
/// that. The work is linear in the bytes of the address: a name ends at the next `&` or `?`, and is looked through once.
const SECRETS: &str = "(?=[^=&?]*(sess|sig|key|pass|code|auth|tok|mail))";

/// The names of a request's parameters, between dollars in the templates.
const PARAMETERS: [&str; 18] =
    ["a", "d", "e", "el", "pv", "r", "sd", "sh", "sw", "t", "tr", "ts", "tx", "tz", "u", "wd", "x", "y"];

/// The options of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where requests go: a path on the script's host, or an https URL.
    pub endpoint: String,
    /// The only global name.
    pub global: String,
    /// The fragment is part of the page's address.
    pub hash: bool,
    /// The script works in frames, too.
    pub frames: bool,
    /// A page that is opened with `#alt-off` ends the script in that browser, one with `#alt-on` brings it back.
    pub off: bool,
    /// Extensions of downloads, separated by commas.
    pub downloads: String,
    /// Only these parameters of an address, and `utm_…`, keep their values.
    pub allow: Option<Vec<String>>,
    /// Includes opting out, search and cart helpers, screen and time zone.
    pub full: bool,
    /// Nothing is sent until the page calls `on`; needs `full`.
    pub wait: bool,
    /// The names of the parameters.
    pub terms: Terms,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            endpoint: "/b".to_owned(),
            global: "alt".to_owned(),
            hash: false,
            frames: false,
            off: false,
            downloads: DOWNLOADS.to_owned(),
            allow: None,
            full: false,
            wait: false,
            terms: Terms::default(),
        }
    }
}

/// A script, ready to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its text.
    pub text: String,
    /// The source map of the text, for a browser's debugger.
    pub source_map: String,
    /// The first 16 hexadecimal digits of its SHA-256: part of the name under which the script never changes.
    pub hash: String,
    /// The value of `integrity` ([Subresource Integrity](https://www.w3.org/TR/sri-2/)).
    pub integrity: String,
}

/// Fills the template in. The same options give the same bytes.
///
/// # Errors
/// An option is not valid; the message names it as the command line does.
pub fn script(options: &Options) -> anyhow::Result<Script> {
    check(options)?;
    let mask = match &options.allow {
        None => SECRETS.to_owned(),
        Some(names) => {
            let names: Vec<String> =
                names.iter().map(|name| regex::escape(name).replace('/', "\\/")).collect();
            format!("(?!(utm_\\w+|{})=)", names.join("|"))
        }
    };
    let downloads = options.downloads.replace(',', "|");
    let endpoint = format!("{}?{}=1", options.endpoint, options.terms.sent_as("v"));
    let may_run = [if options.frames { "1" } else { "top==self" }, &switch(options)].concat();
    let (template, map) = if options.full { FULL } else { DEFAULT };
    let mut places: Vec<(String, &str)> = vec![
        ("$E$".to_owned(), &endpoint),
        ("$G$".to_owned(), &options.global),
        ("$F$".to_owned(), if options.hash { "(?!)" } else { "#.*" }),
        ("$M$".to_owned(), &mask),
        ("$X$".to_owned(), &downloads),
        ("$W$".to_owned(), if options.wait { "1" } else { "0" }),
        ("$T$".to_owned(), &may_run),
    ];
    places.extend(PARAMETERS.iter().map(|name| (format!("${name}$"), options.terms.sent_as(name))));
    let (filled, edits) = fill(template.trim_end(), &places);
    let filled = filled + "\n";
    let sha256 = Sha256::digest(&filled);
    let hash = sha256[..8].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let integrity = format!("sha384-{}", STANDARD.encode(Sha384::digest(&filled)));
    Ok(Script { source_map: moved(map, &edits)?, text: filled, hash, integrity })
}

/// The end of the condition on which a script runs: by the fragment of a page's address, the browser notes that nothing is
/// to be sent. It is the note of `alt("off")`, which a full script looks for by itself. Where nothing can be noted, it runs.
fn switch(Options { off, full, global, .. }: &Options) -> String {
    if !off {
        return String::new();
    }
    let runs = if *full { "1" } else { "!s[k]" };
    format!(
        "&&(()=>{{try{{let s=localStorage,k=\"{global}_off\",h=location.hash,say=(x)=>setTimeout(()=>alert(x));\
         h==\"#{global}-off\"&&(s[k]=1,say(\"Visits from this browser are not counted. To count them again: #{global}-on\"));\
         h==\"#{global}-on\"&&(delete s[k],say(\"Visits from this browser are counted.\"));\
         return {runs}}}catch{{return 1}}}})()"
    )
}

/// Fills values into places. Also returns the edits: column, bytes of the place, bytes of the value.
fn fill(template: &str, places: &[(String, &str)]) -> (String, Vec<(usize, usize, usize)>) {
    let (mut filled, mut edits) = (String::with_capacity(template.len()), Vec::new());
    let mut at = 0;
    while let Some(dollar) = template[at..].find('$').map(|found| at + found) {
        filled.push_str(&template[at..dollar]);
        let rest = &template[dollar..];
        let place = places.iter().find(|(place, _)| rest.starts_with(place.as_str()));
        let (old, new) = place.map_or(("$", "$"), |(place, value)| (place, *value));
        filled.push_str(new);
        edits.push((dollar, old.len(), new.len()));
        at = dollar + old.len();
    }
    filled.push_str(&template[at..]);
    (filled, edits)
}

/// Adapts the template's source map ([ECMA-426](https://tc39.es/ecma426/)) to the filled text, which also is one line.
fn moved(map: &str, edits: &[(usize, usize, usize)]) -> anyhow::Result<String> {
    let mut map: serde_json::Value = serde_json::from_str(map)?;
    let mappings = map["mappings"].as_str().unwrap_or_default().to_owned();
    let (mut column, mut written, mut moved) = (0i64, 0i64, String::with_capacity(mappings.len()));
    let (mut edit, mut shift) = (0, 0i64);
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    for (index, segment) in mappings.split(',').enumerate() {
        let mut fields = vlq(segment)?;
        let Some(first) = fields.first_mut() else { bail!("the source map has an empty segment") };
        column += *first;
        while let Some((_, old, new)) = edits.get(edit).filter(|(at, old, _)| signed(at + old) <= column) {
            shift += signed(*new) - signed(*old);
            edit += 1;
        }
        *first = column + shift - written;
        written = column + shift;
        if index > 0 {
            moved.push(',');
        }
        fields.into_iter().for_each(|field| push_vlq(&mut moved, field));
    }
    map["mappings"] = moved.into();
    map["sourcesContent"] = vec![include_str!("../beacon/beacon.js")].into();
    map.as_object_mut().map(|map| map.remove("file"));
    Ok(map.to_string())
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The numbers of a segment: base 64, five bits per digit, the lowest digit first, the sign in the lowest bit of each
/// number.
fn vlq(segment: &str) -> anyhow::Result<Vec<i64>> {
    let (mut fields, mut value, mut bits) = (Vec::new(), 0u64, 0);
    for byte in segment.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == byte).unwrap_or(64) as u64;
        if digit > 63 || bits > 50 {
            bail!("the source map has a wrong segment: {segment}");
        }
        value |= (digit & 31) << bits;
        bits += 5;
        if digit & 32 == 0 {
            let size = i64::try_from(value >> 1)?;
            fields.push(if value & 1 == 1 { -size } else { size });
            (value, bits) = (0, 0);
        }
    }
    Ok(fields)
}

fn push_vlq(out: &mut String, number: i64) {
    let mut value = number.unsigned_abs() << 1 | u64::from(number < 0);
    loop {
        let more = if value > 31 { 32 } else { 0 };
        let digit = usize::try_from(value & 31 | more).unwrap_or_default();
        value >>= 5;
        out.push(char::from(DIGITS[digit]));
        if value == 0 {
            return;
        }
    }
}

fn check(options: &Options) -> anyhow::Result<()> {
    let endpoint = &options.endpoint;
    let path = endpoint
        .strip_prefix("https://")
        .map_or(endpoint.as_str(), |rest| rest.find('/').map_or("", |at| &rest[at..]));
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let host_fits = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    let host = &endpoint[..endpoint.len() - path.len()];
    if !(path.len() > 1
        && path.starts_with('/')
        && !path.starts_with("//")
        && path.chars().all(fits)
        && (host.is_empty() || host.trim_start_matches("https://").chars().all(host_fits)))
    {
        bail!(
            "--endpoint {endpoint}: write a path such as /b, or https://HOST/PATH, of letters, digits, `.`, `_` and `-`"
        );
    }
    let global = &options.global;
    let is_name = global.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && global.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !is_name {
        bail!("--global {global}: write a name of letters, digits and _, such as alt");
    }
    let is_ending =
        |e: &str| !e.is_empty() && e.chars().all(|c| c.is_ascii_alphanumeric() || "?[]".contains(c));
    if !options.downloads.split(',').all(is_ending) || regex::Regex::new(&options.downloads).is_err() {
        bail!("--downloads {}: write endings without a dot, such as pdf,zip", options.downloads);
    }
    if options.wait && !options.full {
        bail!("--wait needs --full, which has the call that ends the waiting");
    }
    Ok(())
}

/// How a page loads a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<'p> {
    /// `https://HOST`, where the script's endpoint is, unless the endpoint names its own host.
    pub host: &'p str,
    /// The folder of the scripts, as a URL that ends with `/`.
    pub scripts: &'p str,
    /// The stable name.
    pub name: &'p str,
    /// The application's key.
    pub key: &'p str,
}

/// The lines to paste: with the stable name; and with the name that never changes, and its hash.
pub fn snippets(page: &Page<'_>, script: &Script, options: &Options) -> (String, String) {
    let Page { host, scripts, name, key } = page;
    let Options { global, endpoint, terms, .. } = options;
    let app = terms.sent_as("a");
    let pixel =
        if endpoint.starts_with('/') { format!("https://{host}{endpoint}") } else { endpoint.clone() };
    let queue = format!(
        "<script>window.{global}=window.{global}||function(){{({global}.q={global}.q||[]).push(arguments)}}</script>"
    );
    let noscript = format!(
        "<noscript><img src=\"{pixel}?{app}={key}\" alt=\"\" width=\"1\" height=\"1\" \
         referrerpolicy=\"no-referrer-when-downgrade\"></noscript>"
    );
    let plain =
        format!("{queue}\n<script async src=\"{scripts}{name}\" data-{app}=\"{key}\"></script>\n{noscript}");
    let pinned = format!(
        "{queue}\n<script async src=\"{scripts}{}\" integrity=\"{}\" crossorigin=\"anonymous\" data-{app}=\"{key}\"></script>\n\
         {noscript}",
        hashed(name, script),
        script.integrity
    );
    (plain, pinned)
}

/// The name of the script that `alt setup` installs.
pub const SCRIPT: &str = "m.js";

/// The lines to paste for the script that `alt setup` installs.
///
/// # Errors
/// None, as long as the default options are valid.
pub fn default_snippet(host: &str, key: &str) -> anyhow::Result<String> {
    let (options, scripts) = (Options::default(), format!("https://{host}/s/"));
    let page = Page { host, scripts: &scripts, name: SCRIPT, key };
    Ok(snippets(&page, &script(&options)?, &options).0)
}

/// The name under which a script never changes.
pub fn hashed(name: &str, script: &Script) -> String {
    format!("{}.{}.js", name.trim_end_matches(".js"), script.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled_and_the_same_options_give_the_same_bytes() {
        let left = regex::Regex::new(r"\$[A-Za-z]+\$").unwrap();
        for full in [false, true] {
            let options = Options { full, global: "q7".to_owned(), ..Options::default() };
            let one = script(&options).unwrap();
            assert_eq!(one, script(&options).unwrap());
            assert!(!left.is_match(&one.text), "{}", one.text);
            assert_eq!(one.text.lines().count(), 1);
            assert!(one.text.contains("self.q7"), "{}", one.text);
        }
    }

    #[test]
    fn parameters_are_called_what_was_agreed_on() {
        let names = [("k", "a"), ("q1", "event_type"), ("q2", "u"), ("q3", "v")];
        let names = names.map(|(name, meant)| (name.to_owned(), meant.to_owned())).into();
        let options = Options { terms: Terms::parse(&[], &names).unwrap(), ..Options::default() };
        let script = script(&options).unwrap();
        for sent in ["q1:", "q2:", "pv:", "/b?q3=1"] {
            assert!(script.text.contains(sent), "{sent}: {}", script.text);
        }
        assert!(!script.text.contains(",u:") && !script.text.contains("{e:"), "{}", script.text);
        let page = Page { host: "h.example", scripts: "https://h.example/s/", name: SCRIPT, key: "shop" };
        let (plain, pinned) = snippets(&page, &script, &options);
        assert_eq!(
            (plain.matches("data-k=\"shop\"").count(), plain.matches("/b?k=shop\"").count()),
            (1, 1),
            "{plain}"
        );
        assert!(pinned.contains("data-k=\"shop\"") && !pinned.contains("data-a"), "{pinned}");
    }

    #[test]
    fn the_source_map_follows_what_was_filled_in() {
        let source = include_str!("../beacon/beacon.js");
        let options = Options { endpoint: "/a/long/one.gif".to_owned(), ..Options::default() };
        let script = script(&options).unwrap();
        let map: serde_json::Value = serde_json::from_str(&script.source_map).unwrap();
        assert_eq!(map["sourcesContent"][0], source);
        let lines: Vec<&str> = source.lines().collect();
        let (mut at, mut met) = ([0i64; 4], 0);
        for segment in map["mappings"].as_str().unwrap().split(',') {
            let fields = vlq(segment).unwrap();
            fields.iter().zip(&mut at).for_each(|(field, at)| *at += field);
            let [column, _, line, from] = at.map(|n| usize::try_from(n).unwrap());
            // Names that are not minified occur in both.
            for word in ["addEventListener", "keepalive", "closest", "scrollHeight", "persisted"] {
                if script.text[column..].starts_with(word) {
                    assert!(lines[line][from..].starts_with(word), "{word} at {column}: {}", lines[line]);
                    met += 1;
                }
            }
        }
        assert!(met >= 6, "{met}");
    }

    #[test]
    fn numbers_come_back_from_a_map() {
        for number in [0, 1, -1, 15, 16, -16, 511, 1024, -123_456_789] {
            let mut text = String::new();
            push_vlq(&mut text, number);
            assert_eq!(vlq(&text).unwrap(), [number]);
        }
        assert!(vlq("A B").is_err());
    }

    /// What public filter lists typically block: parts of paths, of script names and of queries.
    const FILTERED: &[&str] = &[
        r"/(web)?analytics?[/._?-]",
        r"/beacons?[/._?-]",
        r"/track(er|ing)?[/._?-]",
        r"/pixels?[/._?-]",
        r"/collect[/._?-]",
        r"/stats?[/._?-]",
        r"/metrics?[/._?-]",
        r"/telemetry",
        r"/(hit|hits|hitcount|counter|count)[/._?-]",
        r"/(log|logger|logging)[/._?-]",
        r"/(event|events)[/._?-]",
        r"/ping[/._?-]",
        r"/visit(or)?s?[/._?-]",
        r"/(matomo|piwik|umami|plausible|fathom|goatcounter|snowplow|mixpanel|segment|amplitude|heap)",
        r"/ga\.js",
        r"/gtm\.js",
        r"/gtag",
        r"/utm\.gif",
        r"/__utm",
        r"/b/ss/",
        r"/b\.(gif|js)",
        r"/(1x1|clear|blank|spacer)\.gif",
        r"/(script|main)\.js",
        r"/api/(event|send|collect|track)",
        r"[?&](event|action_name|idsite|rec|_ga|tid|cid|uid)=",
        r"[?&](visitor|fingerprint|screen|resolution)",
        r"[?&]e=pv\b",
        r"[?&]type=(page|track|event)",
    ];

    #[test]
    fn the_default_names_are_not_those_of_filter_lists() {
        let filtered = |url: &str| {
            let lists = FILTERED.iter().map(|pattern| regex::Regex::new(pattern).unwrap());
            lists.into_iter().find(|pattern| pattern.is_match(url)).map(|pattern| pattern.to_string())
        };
        let options = Options::default();
        let script = script(&options).unwrap();
        let page = Page { host: "h.example", scripts: "https://h.example/s/", name: SCRIPT, key: "k7d2" };
        let (plain, pinned) = snippets(&page, &script, &options);
        for url in
            [plain, pinned].iter().flat_map(|html| html.split('"')).filter(|part| part.starts_with("https:"))
        {
            assert_eq!(filtered(url), None, "{url}");
        }
        // As the script sends it, with all parameters.
        let names = PARAMETERS.map(|name| format!("{name}=x")).join("&");
        for event in ["pageview", "engagement", "click", "outbound", "download", "search", "cart_add"] {
            let url = format!("https://h.example/b?v=1&e={event}&a=k7d2&{names}");
            assert_eq!(filtered(&url), None, "{url}");
        }
        for url in
            ["https://h.example/beacon.js", "https://h.example/b?v=1&event=x", "https://h.example/track?x"]
        {
            assert!(filtered(url).is_some(), "{url}");
        }
    }

    #[test]
    fn what_could_leave_its_place_is_refused() {
        let refused = |options: Options| script(&options).unwrap_err().to_string();
        for endpoint in
            ["", "/", "b", "/b\"", "/b?x", "//host/b", "http://h/b", "https://h", "https://h\"/b", "/b c"]
        {
            refused(Options { endpoint: endpoint.to_owned(), ..Options::default() });
        }
        for global in ["", "1a", "a-b", "a.b", "a\"", "ä"] {
            refused(Options { global: global.to_owned(), ..Options::default() });
        }
        for downloads in ["", "pdf,", ".pdf", "pdf/", "a[b", "(a", "?"] {
            refused(Options { downloads: downloads.to_owned(), ..Options::default() });
        }
        assert!(refused(Options { wait: true, ..Options::default() }).contains("--full"));
        let names = vec!["a.b".to_owned(), "x/y".to_owned()];
        let allow = script(&Options { allow: Some(names), ..Options::default() }).unwrap();
        assert!(allow.text.contains(r"(utm_\w+|a\.b|x\/y)"), "{}", allow.text);
    }
}
