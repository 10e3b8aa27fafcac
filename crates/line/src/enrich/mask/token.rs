//! Tokens and keys by their published forms, addresses that were encoded, and what has the form of a token at all.
//!
//! A vendor's token has a prefix that no word has. The quick check looks for what all of them have: a long word with a
//! capital letter or a digit. Whatever [`at_word`] finds contains such a word.

use super::decode::{decoded, decoded_before, hex_digit};
use super::email::email;

/// The least bytes of a word that may be a token.
pub(super) const WORD_MIN: usize = 12;

/// The least bytes of a token: a prefix of four, and twelve more.
pub(super) const BYTES_MIN: usize = 16;

/// What follows a prefix. The number is the least count of characters.
#[derive(Debug, Clone, Copy)]
enum Body {
    /// Letters and digits.
    Alnum(usize),
    /// Letters, digits, `-` and `_`, and among them a word of letters and digits with all of lower case, upper case and
    /// digits, because the prefix alone may begin an ordinary name.
    Mixed(usize),
    /// Letters, digits, `-` and `_`.
    Word(usize),
    /// The same, and dots.
    Dotted(usize),
    /// Hexadecimal digits.
    Hex(usize),
    /// Capital letters and digits, exactly so many.
    Upper(usize),
}

/// The bytes of a body that decide whether there is a token, if its least count is not larger.
const BODY_BYTES: usize = 64;

use Body::{Alnum, Dotted, Hex, Mixed, Upper, Word};

/// Prefixes of tokens, keys and secrets, sorted by their first letters; from the vendors' documentation. Keys that are
/// meant for pages (`pk_live_`, `phc_`) are not listed.
#[rustfmt::skip]
const PREFIXES: &[(&str, Body)] = &[
    ("1//0", Word(30)), // Google, refresh token
    ("AGE-SECRET-KEY-1", Alnum(50)),
    ("ABIA", Upper(16)), ("ACCA", Upper(16)), ("AGPA", Upper(16)), ("AIDA", Upper(16)), ("AIPA", Upper(16)),
    ("AKIA", Upper(16)), ("ANPA", Upper(16)), ("ANVA", Upper(16)), ("AROA", Upper(16)), ("ASIA", Upper(16)), // AWS IAM
    ("AIza", Word(35)), // Google, API key
    ("AC", Hex(32)), // Twilio
    ("AKCp", Alnum(60)), // Artifactory
    ("AKID", Alnum(32)), // Tencent
    ("AQVN", Word(35)), // Yandex
    ("ATATT3", Word(100)), ("ATBB", Alnum(32)), ("ATCTT3", Word(100)), // Atlassian, Bitbucket
    ("CFPAT-", Word(40)), // Contentful
    ("CCIPAT_", Word(40)), // CircleCI
    ("FLWSECK_", Word(20)), // Flutterwave
    ("EAAA", Word(56)), ("EAAC", Alnum(60)), // Square; Facebook
    ("GOCSPX-", Word(24)), ("GR1348941", Word(20)), // Google, client secret; GitLab, runner
    ("HRKU-", Word(36)), // Heroku
    ("LTAI", Alnum(12)), // Alibaba
    ("NRAK-", Alnum(27)), ("NRJS-", Alnum(19)), ("NRII-", Word(32)), // New Relic
    ("PMAK-", Word(40)), // Postman
    ("SG.", Dotted(60)), // SendGrid
    ("SK", Hex(32)), // Twilio
    ("apify_api_", Alnum(30)),
    ("atlasv1.", Word(40)), // Terraform, behind a word of its own
    ("bkua_", Alnum(30)), // Buildkite
    ("cs_live_", Word(20)), ("cs_test_", Word(20)), // Stripe, checkout
    ("dapi", Hex(32)), ("dckr_pat_", Word(20)), ("dkea", Hex(32)), // Databricks; Docker
    ("doo_v1_", Hex(40)), ("dop_v1_", Hex(40)), ("dor_v1_", Hex(40)), // DigitalOcean
    ("dp.pt.", Alnum(40)), ("dp.st.", Dotted(40)), ("dt0c01.", Dotted(60)), // Doppler; Dynatrace
    ("ed25519:", Word(43)),
    ("figd_", Word(40)), ("flwseck_", Word(20)), ("fo1_", Word(30)), ("fm2_", Word(40)), // Figma; Flutterwave; Fly
    ("ghp_", Alnum(30)), ("gho_", Alnum(30)), ("ghu_", Alnum(30)), ("ghs_", Alnum(30)), ("ghr_", Alnum(30)), // GitHub
    ("github_pat_", Word(36)),
    ("glagent-", Word(20)), ("glcbt-", Word(20)), ("gldt-", Word(20)), ("glft-", Word(20)), ("glimt-", Word(20)), // GitLab
    ("gloas-", Word(20)), ("glpat-", Word(20)), ("glptt-", Word(20)), ("glrt-", Word(20)), ("glsoat-", Word(20)),
    ("glffct-", Word(20)), ("glc_", Alnum(32)), ("glsa_", Word(32)), // the last two: Grafana
    ("gsk_", Alnum(40)), // Groq
    ("hf_", Alnum(30)), ("hvb.", Word(30)), ("hvr.", Word(24)), ("hvs.", Word(24)), // Hugging Face; Vault
    ("key-", Hex(32)), // Mailgun
    ("lin_api_", Alnum(32)), ("lin_oauth_", Alnum(32)), ("live_", Hex(32)), // Linear
    ("mfa.", Word(60)), // Discord
    ("nfp_", Alnum(30)), ("npm_", Alnum(30)), ("ntn_", Alnum(40)), // Netlify; npm; Notion
    ("oy2", Alnum(43)), // NuGet
    ("p8e-", Alnum(32)), ("pat", Dotted(70)), ("pscale_oauth_", Word(32)), ("pscale_pw_", Word(32)), // Adobe; Airtable; PlanetScale
    ("pscale_tkn_", Word(32)), ("pul-", Hex(40)), ("pypi-", Word(50)), ("phx_", Alnum(30)), // Pulumi; PyPI; PostHog
    ("pplx-", Alnum(40)), // Perplexity
    ("r8_", Alnum(32)), ("rdme_", Alnum(60)), ("re_", Mixed(24)), ("rk_live_", Alnum(20)), ("rk_test_", Alnum(20)), // Replicate; ReadMe; Resend; Stripe
    ("rubygems_", Hex(40)),
    ("sbp_", Hex(40)), ("sb_secret_", Word(20)), ("secret_", Mixed(40)), ("sk_live_", Alnum(16)), ("sk_test_", Alnum(16)), // Supabase; Notion; Stripe
    ("shpat_", Hex(32)), ("shpca_", Hex(32)), ("shppa_", Hex(32)), ("shpss_", Hex(32)), // Shopify
    ("sk-", Mixed(20)), ("sk-ant-", Word(40)), ("sk-proj-", Word(40)), ("sk-svcacct-", Word(40)), // OpenAI, Anthropic
    ("sl.", Word(60)), ("sntrys_", Word(40)), ("sntryu_", Hex(60)), ("sq0atp-", Word(22)), ("sq0csp-", Word(40)), // Dropbox; Sentry; Square
    ("squ_", Hex(40)), ("sqp_", Hex(40)), ("sqa_", Hex(40)), // SonarQube
    ("t1.9eu", Word(20)), ("tfp_", Word(40)), ("tskey-", Word(20)), // Yandex; Typeform; Tailscale
    ("v1.local.", Word(30)), ("v1.public.", Word(30)), ("v2.local.", Word(30)), ("v2.public.", Word(30)), // PASETO
    ("v3.local.", Word(30)), ("v3.public.", Word(30)), ("v4.local.", Word(30)), ("v4.public.", Word(30)),
    ("vercel_blob_rw_", Word(30)),
    ("whsec_", Alnum(24)), // Stripe, Svix
    ("xai-", Alnum(60)), ("xapp-", Word(30)), ("xkeysib-", Hex(60)), ("xoxa-", Word(20)), ("xoxb-", Word(20)), // xAI; Slack; Brevo; Slack
    ("xoxe-", Word(20)), ("xoxe.xoxp-", Word(20)), ("xoxo-", Word(20)), ("xoxp-", Word(20)), ("xoxr-", Word(20)), ("xoxs-", Word(20)),
    ("y0_", Word(40)), ("ya29.", Word(40)), // Yandex; Google, access token
];

/// For each letter or digit, the indices of the prefixes that begin with it: the first, and the one after the last.
static BY_LETTER: [(u8, u8); 128] = {
    let mut places = [(0, 0); 128];
    let mut i = 0;
    while i < PREFIXES.len() {
        assert!(PREFIXES[i].0.len() + PREFIXES[i].1.least() >= BYTES_MIN, "the quick check would miss it");
        let letter = PREFIXES[i].0.as_bytes()[0] as usize;
        #[allow(clippy::cast_possible_truncation)] // there are fewer than 256
        let at = i as u8;
        if places[letter].1 == 0 {
            places[letter].0 = at;
        }
        places[letter].1 = at + 1;
        i += 1;
    }
    places
};

/// For each first letter, the second letters of the prefixes, a bit each for the lower six bits of a letter.
static SECOND: [u64; 128] = {
    let mut letters = [0; 128];
    let mut i = 0;
    while i < PREFIXES.len() {
        let prefix = PREFIXES[i].0.as_bytes();
        letters[prefix[0] as usize] |= 1 << (prefix[1] & 63);
        i += 1;
    }
    letters
};

static IS_WORD: [bool; 256] = {
    let mut is = [false; 256];
    let mut b = 0;
    while b < 256 {
        #[allow(clippy::cast_possible_truncation)] // it is less than 256
        let c = b as u8;
        is[b] = c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        b += 1;
    }
    is
};

pub(super) fn is_word(b: u8) -> bool {
    IS_WORD[usize::from(b)]
}

/// How many bytes from `at` on are of this kind.
fn run(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().take_while(|b| is(**b)).count()
}

/// Whether there is a word of [`WORD_MIN`] bytes with a capital letter or a digit.
fn has_word(bytes: &[u8]) -> bool {
    bytes.split(|b| !is_word(*b)).any(|word| {
        word.len() >= WORD_MIN && word.iter().any(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}

/// The end of the word in which `at` is.
pub(super) fn end_of_word(bytes: &[u8], at: usize) -> usize {
    at + run(bytes, at, is_word)
}

/// Whether a token may begin in the word, or before it and reach into it.
pub(super) fn word_may_hold(bytes: &[u8], start: usize, until: usize) -> bool {
    let before = start.checked_sub(1).map(|at| bytes[at]);
    // Prefixes with a dot, `1//0`, `12345678:AA`; the digits of `%3D` are no part of the word.
    if matches!(before, Some(b'.' | b':' | b'%')) || bytes[..start].ends_with(b"1//") {
        return true;
    }
    let mut at = start;
    while at < until {
        let length = run(bytes, at, |b| b.is_ascii_alphanumeric());
        if length > 0 && (prefixed(bytes, at) || (length >= WORD_MIN && is_encoded(&bytes[at..at + 4]))) {
            return true;
        }
        at += length + 1;
    }
    false
}

/// Whether a prefix begins here.
fn prefixed(bytes: &[u8], at: usize) -> bool {
    prefixes(bytes, at).iter().any(|(prefix, _)| bytes[at..].starts_with(prefix.as_bytes()))
}

/// The quick check of a text that is too short for a token, but not for an address that was encoded.
pub(super) fn short_may_hold(bytes: &[u8]) -> bool {
    let starts = (bytes.len() + 1).saturating_sub(WORD_MIN);
    (0..starts).any(|start| is_encoded(&bytes[start..start + 4]))
}

/// Whether the first four characters of a word may be the base64, or hexadecimal digits, of text.
fn is_encoded(four: &[u8]) -> bool {
    let mut plain = [0; 3];
    let hex = |i: usize| Some(hex_digit(four[i])? << 4 | hex_digit(four[i + 1])?);
    (hex(0).is_some_and(is_text) && hex(2).is_some_and(is_text))
        || base64(four, &mut plain).is_some_and(|_| plain.iter().all(|b| is_text(*b)))
}

/// The end of the token or encoded address that begins at the first letter or digit of a word of `length` letters and
/// digits.
pub(super) fn at_word(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    vendors(bytes, at).or_else(|| telegram(bytes, at, length)).or_else(|| encoded_email(bytes, at, length))
}

/// The prefixes with the first letter of the word at `at`, if one of them has its second letter, too.
fn prefixes(bytes: &[u8], at: usize) -> &'static [(&'static str, Body)] {
    let (first, second) = (usize::from(bytes[at]), bytes.get(at + 1).copied().unwrap_or_default());
    match (SECOND.get(first), BY_LETTER.get(first)) {
        (Some(letters), Some((from, until))) if letters & (1 << (second & 63)) != 0 => {
            &PREFIXES[usize::from(*from)..usize::from(*until)]
        }
        _ => &[],
    }
}

fn vendors(bytes: &[u8], at: usize) -> Option<usize> {
    prefixes(bytes, at).iter().find_map(|(prefix, body)| {
        bytes[at..].starts_with(prefix.as_bytes()).then(|| body.end(bytes, at + prefix.len())).flatten()
    })
}

impl Body {
    const fn least(self) -> usize {
        match self {
            Alnum(least) | Mixed(least) | Word(least) | Dotted(least) | Hex(least) | Upper(least) => least,
        }
    }

    /// How many bytes from `from` on may be of the body.
    fn run(self, bytes: &[u8], from: usize) -> usize {
        match self {
            Alnum(_) => run(bytes, from, |b| b.is_ascii_alphanumeric()),
            Hex(_) => run(bytes, from, |b| b.is_ascii_hexdigit()),
            Upper(_) => run(bytes, from, |b| b.is_ascii_uppercase() || b.is_ascii_digit()),
            Word(_) | Mixed(_) => run(bytes, from, is_word),
            Dotted(_) => run(bytes, from, |b| is_word(b) || b == b'.'),
        }
    }

    /// The end of a token whose body begins at `from`.
    fn end(self, bytes: &[u8], from: usize) -> Option<usize> {
        if let Upper(exactly) = self {
            let length = self.run(bytes, from);
            let ends = !bytes.get(from + length).is_some_and(u8::is_ascii_alphanumeric);
            return (length == exactly && ends).then_some(from + length);
        }
        // A word may have prefixes everywhere, so each of them decides by few bytes.
        let near = &bytes[..bytes.len().min(from + self.least().max(BODY_BYTES))];
        let body = &bytes[from..from + self.run(near, from)];
        let mixed = |word: &[u8]| {
            word.len() >= WORD_MIN
                && word.iter().any(u8::is_ascii_lowercase)
                && word.iter().any(u8::is_ascii_uppercase)
                && word.iter().any(u8::is_ascii_digit)
        };
        let fits = match self {
            Mixed(_) => body.split(|b| !b.is_ascii_alphanumeric()).any(mixed),
            Dotted(_) => has_word(body) && body.contains(&b'.'),
            _ => has_word(body),
        };
        if body.len() < self.least() || !fits {
            return None;
        }
        // What goes on after the characters of the body belongs to it.
        Some(end_of_word(bytes, from + self.run(bytes, from)))
    }
}

/// The end of a bot's token of Telegram: `123456789:AA` and 33 characters.
fn telegram(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    if !(8..=13).contains(&length) || !matches!(bytes[at], b'0'..=b'9' | b'b') {
        return None;
    }
    let from = if bytes[at..].starts_with(b"bot") { at + 3 } else { at };
    let digits = bytes[from..].iter().take(11).take_while(|b| b.is_ascii_digit()).count();
    let (colon, taken) = decoded(bytes, from + digits)?;
    if !(8..=10).contains(&digits) || colon != b':' {
        return None;
    }
    let secret = from + digits + taken;
    let length = run(bytes, secret, is_word);
    (length >= 33 && bytes[secret..].starts_with(b"AA")).then_some(secret + length)
}

/// `eyJ….….…`: the base64 of `{"`, and two more parts (four if encrypted); or one more that is JSON itself. The dots
/// may be encoded. The error is the end of a candidate with too few parts: no token begins before this end.
pub(super) fn jwt(bytes: &[u8], floor: usize, at: usize) -> Result<Option<(usize, usize)>, usize> {
    const BYTES_MIN: usize = 20;
    const BEGIN: &[u8] = b"eyJ";
    if !bytes[at..].starts_with(BEGIN) {
        return Ok(None);
    }
    let mut end = at + run(bytes, at, is_word);
    let (mut parts, mut of_json) = (1, end - at >= 10);
    while let Some((b'.', taken)) = decoded(bytes, end)
        && parts < 5
    {
        let from = end + taken;
        end = from + run(bytes, from, is_word);
        parts += 1;
        of_json &= parts > 2 || (bytes[from..].starts_with(BEGIN) && end - from >= 10);
    }
    if parts < 3 && !(parts == 2 && of_json) {
        return Err(end);
    }
    if end - at < BYTES_MIN {
        return Ok(None); // too short for a token; it costs little to look at it again
    }
    // Characters of a token right before it may be part of it.
    let mut start = at;
    while let Some((c, 1)) = decoded_before(bytes, floor, start)
        && is_word(c)
    {
        start -= 1;
    }
    Ok(Some((start, end)))
}

/// The end of the base64 or hexadecimal form of a text with an e-mail address.
fn encoded_email(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    if length < WORD_MIN {
        return None;
    }
    let word = &bytes[at..at + length];
    let mut plain = [0; 3];
    let has_sign = |plain: &[u8]| plain.contains(&b'@');
    // Both stop at the first byte that is no text, which is near in nearly every word.
    let by_hex = word.len().is_multiple_of(2)
        && word.as_chunks::<2>().0.iter().try_fold(false, |sign, pair| {
            plain[0] = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
            is_text(plain[0]).then_some(sign || plain[0] == b'@')
        }) == Some(true);
    if by_hex {
        let text: Vec<u8> = word
            .as_chunks::<2>()
            .0
            .iter()
            .filter_map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?))
            .collect();
        if holds_email(&text) {
            return Some(at + length);
        }
    }
    let by_base64 = word.chunks(4).try_fold(false, |sign, quad| {
        let count = base64(quad, &mut plain)?;
        plain[..count].iter().all(|b| is_text(*b)).then_some(sign || has_sign(&plain[..count]))
    }) == Some(true);
    if !by_base64 {
        return None;
    }
    let mut text = Vec::with_capacity(length);
    for quad in word.chunks(4) {
        let count = base64(quad, &mut plain)?;
        text.extend_from_slice(&plain[..count]);
    }
    let mut end = at + length;
    while let Some((b'=', taken)) = decoded(bytes, end)
        && end < at + length + 12
    {
        end += taken;
    }
    holds_email(&text).then_some(end)
}

fn is_text(b: u8) -> bool {
    (b' '..0x7F).contains(&b) || b == b'\n' || b == b'\r'
}

fn holds_email(text: &[u8]) -> bool {
    memchr::memchr_iter(b'@', text).any(|at| email(text, 0, at).is_some())
}

/// Decodes at most four characters of base64 and returns the count of bytes. The base64 of ASCII has no `+`, `/`, `-`
/// and `_` but for a few rare characters, so these end a word.
fn base64(quad: &[u8], plain: &mut [u8; 3]) -> Option<usize> {
    let mut bits = 0_u32;
    for i in 0..4 {
        let six = match quad.get(i) {
            Some(b @ b'A'..=b'Z') => b - b'A',
            Some(b @ b'a'..=b'z') => b - b'a' + 26,
            Some(b @ b'0'..=b'9') => b - b'0' + 52,
            None if i >= 2 => 0,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
    }
    let [_, bytes @ ..] = bits.to_be_bytes();
    *plain = bytes;
    Some(quad.len() - 1)
}

/// The most bytes of a value that are looked at.
pub(super) const FORM_BYTES_MAX: usize = 128;

/// Whether the value at the beginning of a text, up to the next sign that ends one, has the form of a token, where its
/// name or the path before it says that it may be one: a UUID; a word of eight letters and digits that go back and forth between lower case, upper case and digits; several such
/// words; 24 letters without a border; 16 digits. Dates, versions, words, and names of several words have not.
pub(super) fn has_form(text: &str) -> bool {
    has_form_of(text, 16)
}

/// The same, for a path's segment: codes that are typed have six digits.
pub(super) fn segment_has_form(text: &str) -> bool {
    has_form_of(text, 6)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Digit,
    Lower,
    Upper,
    Other,
}

fn has_form_of(text: &str, digits_min: usize) -> bool {
    let bytes = text.as_bytes();
    let bytes = &bytes[..bytes.len().min(FORM_BYTES_MAX)];
    // Of the word, and of all words: characters, changes of kind, digits.
    let (mut word, mut changes, mut digits, mut letters) = (0, 0, 0, 0_usize);
    let (mut all, mut all_changes, mut groups, mut all_hex) = (0_usize, 0, [0_u8; 6], true);
    let (mut hex, mut hex_digits) = (0, 0); // of the word, as long as it is hexadecimal
    let (mut group, mut before, mut longest_ok, mut from) = (0, Kind::Other, false, 0);
    while let Some((c, taken)) = decoded(bytes, from) {
        from += taken;
        let kind = match c {
            b'0'..=b'9' => Kind::Digit,
            b'a'..=b'z' => Kind::Lower,
            b'A'..=b'Z' => Kind::Upper,
            b'-' | b'_' | b'.' | b'~' | b'+' | b':' | b'/' | b'|' | b'!' | b'*' => Kind::Other,
            b'"' if all == 0 && group == 0 => continue,
            b'=' | b'&' | b';' | b',' | b'"' | b'#' => break,
            _ => return false, // a sentence, a name with accents, JSON
        };
        if kind == Kind::Other {
            (word, changes, digits, letters, before) = (0, 0, 0, 0, Kind::Other);
            (hex, hex_digits) = (0, 0);
            all_hex &= c == b'-';
            group += 1;
            continue;
        }
        // A capital letter at the beginning of a word is no change.
        let capital = before == Kind::Upper && kind == Kind::Lower;
        let is_change = before != Kind::Other && before != kind && !capital;
        word += 1;
        changes += usize::from(is_change);
        digits += usize::from(kind == Kind::Digit);
        letters = if kind == Kind::Digit { 0 } else { letters + 1 };
        all += 1;
        all_changes += usize::from(is_change);
        all_hex &= c.is_ascii_hexdigit();
        hex = if c.is_ascii_hexdigit() && hex + 1 == word { hex + 1 } else { 0 };
        hex_digits += usize::from(kind == Kind::Digit);
        if let Some(count) = groups.get_mut(group) {
            *count = count.saturating_add(1);
        }
        before = kind;
        longest_ok |= (word >= 8 && changes >= 2) || letters >= 24;
        longest_ok |= hex >= 16 && (4..hex).contains(&hex_digits);
    }
    let only_digits = all >= digits_min && digits == all && group == 0;
    let uuid = all_hex && groups[..5] == [8, 4, 4, 4, 12] && group == 4;
    longest_ok || only_digits || uuid || (all >= 10 && all_changes >= 4)
}
