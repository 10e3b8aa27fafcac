//! Classifies user agents: traffic class, browser, operating system, device.
//!
//! The rules are data (`data/crawlers.json`, made by `scripts/refresh-crawlers`; an operator can use another list
//! instead). Names of crawlers are matched with their case, words and patterns of words without. Phrases that are known
//! to be harmless (a CUBOT phone) are blanked first, and so are the parts of a browser's user agent in which no program
//! names itself (`shape`). A classification takes a few microseconds, so every caller keeps a cache.

mod shape;

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::Deserialize;

use self::shape::{Shape, Signs};
use super::mask;
use crate::row::TrafficClass;

/// At most this many bytes of a user agent are kept, and hashed for its key.
pub const AGENT_BYTES_MAX: usize = 512;

/// The list that comes with the program.
const BUILTIN: &str = include_str!("data/crawlers.json");

/// The part of a user agent that is kept: at most [`AGENT_BYTES_MAX`] bytes, whole characters.
pub fn kept(user_agent: &str) -> &str {
    let mut end = user_agent.len().min(AGENT_BYTES_MAX);
    while !user_agent.is_char_boundary(end) {
        end -= 1;
    }
    &user_agent[..end]
}

/// What is stored of the kept part of a user agent: without what is masked by its form, such as the e-mail address of a
/// crawler's operator.
fn masked(kept: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    if mask::id_value(kept, &mut masked) { Cow::Owned(masked) } else { Cow::Borrowed(kept) }
}

/// The key of a user agent in `user_agents`: the first 8 bytes of the BLAKE3 hash of what is stored of it.
pub fn id_of(user_agent: &str) -> i64 {
    let hash = blake3::hash(masked(kept(user_agent)).as_bytes());
    let mut id = [0; 8];
    id.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_le_bytes(id)
}

/// A row of `user_agents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAgent {
    /// [`id_of`] it.
    pub id: i64,
    /// Its kept part.
    pub user_agent: String,
    /// Chrome, Safari, Firefox …; of a crawler or another program its own name; `""` if unknown, as in the next three fields.
    pub browser: String,
    /// As the browser or the program writes it.
    pub browser_version: String,
    /// Windows, macOS, iOS, Android …
    pub os: String,
    /// As the system writes it.
    pub os_version: String,
    /// `desktop`, `phone`, `tablet`, `tv`, `console` or `""`.
    pub device: String,
    /// The class by the user agent alone.
    pub traffic_class: TrafficClass,
    /// The rule that decided the class.
    pub rule: String,
}

/// What decided the class of a user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentRule {
    /// There is no user agent.
    Empty,
    /// An entry of the lists, by its index.
    Listed(u16),
    /// No entry matches, but the user agent is neither that of a browser nor that of an app.
    NoBrowser,
    /// No entry matches.
    Default,
}

/// The compiled rules that classify user agents. All reader threads share them.
#[derive(Debug)]
pub struct AgentRules {
    /// Every entry, in the order of the matchers: names, name patterns, words, word patterns, weak words, weak
    /// patterns, bare patterns.
    entries: Vec<Entry>,
    harmless: AhoCorasick,
    shape: Shape,
    names: AhoCorasick,
    words: AhoCorasick,
    weak_words: AhoCorasick,
    name_patterns: Patterns,
    word_patterns: Patterns,
    weak_patterns: Patterns,
    bare_patterns: Patterns,
}

/// Patterns. Most are `^text`, which needs no automaton; one for the others is small enough to be fast.
#[derive(Debug)]
struct Patterns {
    len: usize,
    any_case: bool,
    /// The text of `^text`, and its index among the patterns.
    starts: Vec<(Box<[u8]>, usize)>,
    others: RegexSet,
    /// The indices of the others.
    places: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    text: Box<str>,
    kind: Kind,
    /// Where several entries match, the lowest rank decides.
    rank: u8,
}

/// The file with the rules.
#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    harmless: Vec<String>,
    #[serde(default)]
    people: Signs,
    classes: Classes,
}

/// What an entry names. Two kinds may be of one class; the rule tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Fetches a page for a person who asked a language model about it.
    AiUser,
    /// Crawls for a language model.
    AiBot,
    Monitor,
    Headless,
    /// An office or mail program that fetches a page, often before a person sees it.
    Prefetch,
    Bot,
}

impl Kind {
    fn class(self) -> TrafficClass {
        match self {
            Kind::AiUser | Kind::AiBot => TrafficClass::AiBot,
            Kind::Monitor => TrafficClass::Monitor,
            Kind::Headless => TrafficClass::Headless,
            Kind::Prefetch | Kind::Bot => TrafficClass::Bot,
        }
    }

    /// How the list names the kind.
    fn as_str(self) -> &'static str {
        match self {
            Kind::AiUser => "ai_user",
            Kind::Prefetch => "prefetch",
            kind => kind.class().as_str(),
        }
    }

    /// How a rule of the kind begins.
    fn prefix(self) -> &'static str {
        match self {
            Kind::AiBot | Kind::Bot => "crawler",
            kind => kind.as_str(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Classes {
    #[serde(default)]
    ai_user: Lists,
    #[serde(default)]
    ai_bot: Lists,
    #[serde(default)]
    monitor: Lists,
    #[serde(default)]
    headless: Lists,
    #[serde(default)]
    prefetch: Lists,
    #[serde(default)]
    bot: Lists,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lists {
    names: Vec<String>,
    name_patterns: Vec<String>,
    words: Vec<String>,
    word_patterns: Vec<String>,
    /// Words and patterns of words that do not count in the platform of a browser.
    weak_words: Vec<String>,
    weak_patterns: Vec<String>,
    /// Patterns of words that count only where no engine is named.
    bare_patterns: Vec<String>,
}

/// Why a list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRules(String);

impl std::fmt::Display for BadRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadRules {}

impl AgentRules {
    /// The rules that come with the program.
    pub fn builtin() -> Self {
        Self::from_json(BUILTIN).expect("the list that comes with the program is tested")
    }

    /// An operator's own list, in the form of `data/crawlers.json`; it replaces the built-in one.
    ///
    /// # Errors
    /// The text is not such a list; the list or an entry is empty; a pattern is no regular expression.
    pub fn from_json(text: &str) -> Result<Self, BadRules> {
        let file: File =
            serde_json::from_str(text).map_err(|e| BadRules(format!("not a list of crawlers: {e}")))?;
        let kinds = [
            (Kind::AiUser, &file.classes.ai_user),
            (Kind::AiBot, &file.classes.ai_bot),
            (Kind::Monitor, &file.classes.monitor),
            (Kind::Prefetch, &file.classes.prefetch),
            (Kind::Bot, &file.classes.bot),
            (Kind::Headless, &file.classes.headless),
        ];
        let mut entries = Vec::new();
        let mut parts: [Vec<&str>; 7] = Default::default();
        let of: [fn(&Lists) -> &[String]; 7] = [
            |l| &l.names,
            |l| &l.name_patterns,
            |l| &l.words,
            |l| &l.word_patterns,
            |l| &l.weak_words,
            |l| &l.weak_patterns,
            |l| &l.bare_patterns,
        ];
        for (i, (part, list)) in parts.iter_mut().zip(of).enumerate() {
            let (generic, pattern) = (i >= 2, ![0, 2, 4].contains(&i));
            for (kind, lists) in kinds {
                for text in list(lists) {
                    if text.is_empty() {
                        return Err(BadRules(format!("an entry of {} is empty", kind.as_str())));
                    }
                    part.push(text);
                    entries.push(Entry {
                        text: text.as_str().into(),
                        kind,
                        rank: rank(kind, generic) * 2 + u8::from(pattern),
                    });
                }
            }
        }
        if entries.is_empty() {
            return Err(BadRules("no entry in any class".to_owned()));
        }
        if entries.len() > usize::from(u16::MAX) {
            return Err(BadRules(format!("{} entries; at most {} are possible", entries.len(), u16::MAX)));
        }
        Ok(AgentRules {
            harmless: few_texts(&file.harmless, true)?,
            shape: Shape::new(&file.people)?,
            names: texts(&parts[0], false)?,
            words: few_texts(&parts[2], true)?,
            weak_words: few_texts(&parts[4], true)?,
            name_patterns: patterns(&parts[1], false)?,
            word_patterns: patterns(&parts[3], true)?,
            weak_patterns: patterns(&parts[5], true)?,
            bare_patterns: patterns(&parts[6], true)?,
            entries,
        })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Always false: a list without entries is refused.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The class of a user agent, and the rule that decided it.
    pub fn judge(&self, user_agent: &str) -> (TrafficClass, AgentRule) {
        let user_agent = kept(user_agent);
        if user_agent.trim_matches([' ', '-', '"']).is_empty() {
            return (TrafficClass::Bot, AgentRule::Empty);
        }
        let blanked = self.blank_harmless(user_agent).unwrap_or_else(|| user_agent.as_bytes().to_vec());
        let seen = self.shape.see(blanked);
        let agent = &seen.agent[..];
        let outside = seen.outside.as_deref().unwrap_or(agent);
        let mut best: Option<usize> = None;
        let mut consider = |at: usize| {
            let key = |i: usize| (self.entries[i].rank, usize::MAX - self.entries[i].text.len(), i);
            if best.is_none_or(|b| key(at) < key(b)) {
                best = Some(at);
            }
        };
        let mut first = 0;
        for (agent, texts, patterns) in [
            (agent, Some(&self.names), &self.name_patterns),
            (agent, Some(&self.words), &self.word_patterns),
            (outside, Some(&self.weak_words), &self.weak_patterns),
            (if seen.bare { agent } else { b"" }, None, &self.bare_patterns),
        ] {
            if let Some(texts) = texts {
                for found in texts.find_overlapping_iter(agent) {
                    consider(first + found.pattern().as_usize());
                }
                first += texts.patterns_len();
            }
            if !agent.is_empty() {
                patterns.each(agent, |found| consider(first + found));
            }
            first += patterns.len;
        }
        match best {
            Some(at) => {
                (self.entries[at].kind.class(), AgentRule::Listed(u16::try_from(at).unwrap_or(u16::MAX)))
            }
            None if seen.program => (TrafficClass::Bot, AgentRule::NoBrowser),
            None => (TrafficClass::Human, AgentRule::Default),
        }
    }

    /// A rule as text, as `alt explain` shows it and `user_agents.rule` has it.
    pub fn rule_text(&self, rule: AgentRule) -> String {
        match rule {
            AgentRule::Empty => "empty user agent".to_owned(),
            AgentRule::NoBrowser => "no browser".to_owned(),
            AgentRule::Default => "default".to_owned(),
            AgentRule::Listed(at) => match self.entries.get(usize::from(at)) {
                Some(Entry { text, kind, .. }) => format!("{}:{text}", kind.prefix()),
                None => "default".to_owned(),
            },
        }
    }

    /// The row of `user_agents` for a user agent.
    pub fn describe(&self, user_agent: &str) -> NewAgent {
        let (traffic_class, rule) = self.judge(user_agent);
        self.describe_judged(user_agent, traffic_class, rule)
    }

    /// The same for a user agent that was classified already.
    pub fn describe_judged(
        &self,
        user_agent: &str,
        traffic_class: TrafficClass,
        rule: AgentRule,
    ) -> NewAgent {
        let user_agent = kept(user_agent);
        let blanked = self.blank_harmless(user_agent).and_then(|b| String::from_utf8(b).ok());
        let mut machine = Machine::of(user_agent, blanked.as_deref().unwrap_or(user_agent));
        let listed = match rule {
            AgentRule::Listed(at) => self.entries.get(usize::from(at)).map(|entry| &*entry.text),
            _ => None,
        };
        if listed.is_some() || rule == AgentRule::NoBrowser {
            (machine.browser, machine.browser_version) =
                program(&masked(user_agent), listed.unwrap_or_default());
        }
        NewAgent {
            id: id_of(user_agent),
            user_agent: masked(user_agent).into_owned(),
            browser: machine.browser,
            browser_version: machine.browser_version,
            os: machine.os,
            os_version: machine.os_version,
            device: machine.device.to_owned(),
            traffic_class,
            rule: self.rule_text(rule),
        }
    }

    /// The user agent with its harmless phrases blanked; `None` if it has none.
    fn blank_harmless(&self, user_agent: &str) -> Option<Vec<u8>> {
        let mut blanked: Option<Vec<u8>> = None;
        for found in self.harmless.find_overlapping_iter(user_agent) {
            let bytes = blanked.get_or_insert_with(|| user_agent.as_bytes().to_vec());
            bytes[found.range()].iter_mut().filter(|b| b.is_ascii_alphanumeric()).for_each(|b| *b = b'x');
        }
        blanked
    }
}

/// The order of precedence. Names come before words, and plain texts before patterns, which tell the reader less. Among
/// names, a crawler's own comes before that of the automated browser that it uses; among words, those of automation
/// come before a mere `http`.
fn rank(kind: Kind, generic: bool) -> u8 {
    match (kind, generic) {
        (Kind::AiUser | Kind::AiBot, false) => 0,
        (Kind::Monitor, false) => 1,
        (Kind::Prefetch, false) => 2,
        (Kind::Bot, false) => 3,
        (Kind::Headless, false) => 4,
        (Kind::AiUser | Kind::AiBot, true) => 5,
        (Kind::Monitor, true) => 6,
        (Kind::Headless, true) => 7,
        (Kind::Prefetch, true) => 8,
        (Kind::Bot, true) => 9,
    }
}

/// One automaton for plain texts. The contiguous NFA is the smallest: about 100 KiB for 1,500 names.
fn texts(texts: &[impl AsRef<str>], any_case: bool) -> Result<AhoCorasick, BadRules> {
    automaton(texts, any_case, AhoCorasickKind::ContiguousNFA)
}

/// The same for a few texts, as the faster and larger DFA: about 300 KiB for 150 texts.
fn few_texts(texts: &[impl AsRef<str>], any_case: bool) -> Result<AhoCorasick, BadRules> {
    let few = texts.len() <= 1_000;
    automaton(texts, any_case, if few { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA })
}

fn automaton(
    texts: &[impl AsRef<str>],
    any_case: bool,
    kind: AhoCorasickKind,
) -> Result<AhoCorasick, BadRules> {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(kind))
        .ascii_case_insensitive(any_case)
        .build(texts.iter().map(|t| t.as_ref().as_bytes()))
        .map_err(|e| BadRules(format!("too many names: {e}")))
}

impl Patterns {
    fn each(&self, agent: &[u8], mut found: impl FnMut(usize)) {
        for (start, place) in &self.starts {
            let head = agent.get(..start.len()).unwrap_or_default();
            if head == &**start || (self.any_case && head.eq_ignore_ascii_case(start)) {
                found(*place);
            }
        }
        self.others.matches(agent).iter().for_each(|i| found(self.places[i]));
    }
}

/// The text of a pattern `^text`, if the text contains no operator.
fn start_of(pattern: &str) -> Option<Box<[u8]>> {
    let mut text = Vec::new();
    let mut bytes = pattern.strip_prefix('^')?.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => text.push(bytes.next().filter(u8::is_ascii_punctuation)?),
            b'^' | b'$' | b'.' | b'|' | b'?' | b'*' | b'+' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => {
                return None;
            }
            _ => text.push(b),
        }
    }
    (!text.is_empty()).then(|| text.into())
}

/// Compiles patterns, without Unicode tables.
fn patterns(patterns: &[&str], any_case: bool) -> Result<Patterns, BadRules> {
    let build = |of: &[&str]| {
        RegexSetBuilder::new(of)
            .unicode(false)
            .case_insensitive(any_case)
            .size_limit(4 << 20)
            .dfa_size_limit(512 << 10)
            .build()
    };
    let (mut starts, mut others, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (place, pattern) in patterns.iter().enumerate() {
        match start_of(pattern) {
            Some(start) => starts.push((start, place)),
            None => {
                others.push(*pattern);
                places.push(place);
            }
        }
    }
    let others = build(&others).map_err(|all| {
        // The error of the set does not say which pattern is wrong.
        match patterns.iter().find_map(|p| build(&[p]).err().map(|e| (p, e))) {
            Some((pattern, e)) => BadRules(format!("pattern {pattern:?}: {e}")),
            None => BadRules(format!("the patterns together: {all}")),
        }
    })?;
    Ok(Patterns { len: patterns.len(), any_case, starts, others, places })
}

/// The most bytes of a program's name.
const NAME_MAX: usize = 60;

/// The products of browsers (RFC 9110, section 10.1.5), which programs name as well.
const ENGINES: &[&str] = &[
    "AppleWebKit",
    "Chrome",
    "Edg",
    "Firefox",
    "Gecko",
    "HeadlessChrome",
    "Mobile",
    "Mozilla",
    "OPR",
    "Safari",
    "Version",
];

/// The name and the version of a program. `listed`: the entry of the lists that matches; where it is no text of the user agent, but a
/// pattern or `""`, the name is what follows `compatible;`, or the first product that is none of a browser.
fn program(user_agent: &str, listed: &str) -> (String, String) {
    let is_name = |c: u8| c.is_ascii_alphanumeric() || b"-_.!".contains(&c);
    let bytes = user_agent.as_bytes();
    let word = listed.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '!'));
    let found =
        user_agent.find(word).or_else(|| user_agent.to_ascii_lowercase().find(&word.to_ascii_lowercase()));
    let range = match found.filter(|_| !word.is_empty()) {
        // As much of the user agent as the name has: `Googlebot-Image` of `Googlebot`.
        Some(at) => {
            let before = bytes[..at].iter().rev().take_while(|c| is_name(**c)).count();
            let after = bytes[at + word.len()..].iter().take_while(|c| is_name(**c)).count();
            Some(at - before..at + word.len() + after)
        }
        None => {
            let compatible = user_agent.find("compatible;").map(|at| at + "compatible;".len());
            let mut at = compatible.unwrap_or(0);
            let mut found = None;
            while at < bytes.len() && found.is_none() {
                at += bytes[at..].iter().take_while(|c| !c.is_ascii_alphanumeric()).count();
                let length = bytes[at..].iter().take_while(|c| is_name(**c)).count();
                let is_product = compatible.is_some() || at == 0 || bytes.get(at + length) == Some(&b'/');
                let is_engine = ENGINES.contains(&user_agent.get(at..at + length).unwrap_or_default());
                found = (length > 0 && is_product && !is_engine).then_some(at..at + length);
                at += length.max(1);
            }
            found
        }
    };
    let Some(range) = range else { return (String::new(), String::new()) };
    let name = user_agent.get(range.clone()).unwrap_or_default();
    let name = &name[..name.floor_char_boundary(NAME_MAX)];
    let version = user_agent.get(range.end..).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    let version = version.trim_start_matches('v');
    let length = version.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count().min(NAME_MAX);
    (name.trim_end_matches(['.', '-', '_']).to_owned(), version[..length].trim_end_matches('.').to_owned())
}

/// The browser, operating system and device of a user agent.
#[derive(Default)]
struct Machine {
    browser: String,
    browser_version: String,
    os: String,
    os_version: String,
    device: &'static str,
}

/// Browsers whose user agents name another browser too: the text before their version, and their names.
#[rustfmt::skip]
const BROWSERS: &[(&str, &str)] = &[
    ("FBAV/", "Facebook"), ("FBAN/", "Facebook"), ("MetaIAB Facebook", "Facebook"), ("Instagram ", "Instagram"),
    ("musical_ly_", "TikTok"), ("MicroMessenger/", "WeChat"), ("Snapchat/", "Snapchat"), ("[Pinterest/", "Pinterest"),
    ("[LinkedInApp]/", "LinkedIn"), (" Line/", "LINE"), ("Viber/", "Viber"), ("GoogleApp/", "Google Search App"),
    ("HuaweiBrowser/", "Huawei Browser"), ("MiuiBrowser/", "MIUI Browser"), ("UCBrowser/", "UC Browser"),
    ("SogouMobileBrowser/", "Sogou"), ("baiduboxapp/", "Baidu"), ("Silk/", "Silk"), ("DuckDuckGo/", "DuckDuckGo"),
    ("Opera Mini/", "Opera Mini"), ("Whale/", "Whale"), ("QQBrowser/", "QQ Browser"), ("Electron/", "Electron"),
];

impl Machine {
    /// `blanked` is the user agent without the phrases that woothee would take for a crawler.
    fn of(user_agent: &str, blanked: &str) -> Self {
        let has = |text: &str| user_agent.contains(text);
        let mut machine = match woothee::parser::Parser::new().parse(blanked) {
            Some(found) => Self::found(&found, has),
            None => Machine::default(),
        };
        if let Some((sign, name)) = BROWSERS.iter().find(|(sign, _)| has(sign)) {
            let at = user_agent.find(sign).unwrap_or(0) + sign.len();
            let version = user_agent[at..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
            machine.browser = (*name).to_owned();
            machine.browser_version = user_agent[at..at + version].to_owned();
        }
        if has("KAIOS/") {
            machine.os = "KaiOS".to_owned();
        }
        machine.device = match machine.device {
            _ if has("SMART-TV") || has("SmartTV") || has("HbbTV") || has("GoogleTV") || has("; AFT") => "tv",
            _ if has("PlayStation") || has("Nintendo") || has("Xbox") => "console",
            _ if has("KAIOS/") || has("Opera Mini/") => "phone",
            device => device,
        };
        machine
    }

    fn found(found: &woothee::parser::WootheeResult<'_>, has: impl Fn(&str) -> bool) -> Self {
        let known = |text: &str| if text == "UNKNOWN" { String::new() } else { text.to_owned() };
        let version = found.os_version.as_ref();
        let (os, os_version) = match found.os {
            "iPhone" | "iPad" | "iPod" | "iOS" => ("iOS", version),
            "Mac OSX" => ("macOS", version),
            "ChromeOS" => ("ChromeOS", version.rsplit(' ').next().unwrap_or("")), // after the processor
            windows if windows.starts_with("Windows ") => ("Windows", &windows["Windows ".len()..]),
            other => (other, version),
        };
        let device = match found.category {
            _ if found.os == "iPad" => "tablet",
            "smartphone" if os == "Android" && !has("Mobile") => "tablet",
            "smartphone" | "mobilephone" => "phone",
            "pc" => "desktop",
            "appliance" => "console",
            _ => "",
        };
        Machine {
            browser: known(found.name),
            browser_version: known(found.version),
            os: known(os),
            os_version: known(os_version),
            device,
        }
    }
}

#[cfg(test)]
mod tests;
