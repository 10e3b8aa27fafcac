//! Which names of parameters show that their value is secret or personal.
//!
//! The lists contain whole words, so that `keyword`, `monkey` and `promo_code` are not masked; tables in `tests.rs`
//! have names of both kinds. Nothing is allocated.

use super::value::decoded;

/// Words that make a parameter secret or personal, wherever they are in its name.
#[rustfmt::skip]
const SECRET: &[&str] = &[
    "2fa", "accesskey", "accesstoken", "address", "apikey", "apitoken", "assertion", "auth", "authcode",
    "authentication", "authenticity", "authkey", "authorization", "authtoken", "bearer", "birth", "birthdate",
    "birthday", "cardnumber", "ccnumber", "cookie", "creditcard", "credential", "credentials", "csrf", "cvc", "cvv",
    "dob", "email", "emailaddress", "emails", "fax", "firstname", "fname", "fullname", "hmac", "iban", "idtoken",
    "jsessionid", "jwt", "lastname", "lname", "mail", "mfa", "msisdn", "nonce", "oauth", "otp", "passcode",
    "passphrase", "passport", "passwd", "password", "passwords", "phone", "phonenumber", "phones", "phpsessid",
    "privatekey", "pwd", "samlresponse", "secret", "secretkey", "secrets", "sessid", "session", "sessionid",
    "sessionkey", "sid", "sig", "signature", "ssn", "street", "surname", "tel", "telephone", "token", "totp",
    "username", "verifier", "xsrf",
];

/// Endings that count in a name without borders between its words (`usertoken`, `contactemail`).
const SECRET_ENDS: &[&str] =
    &["token", "password", "passwd", "secret", "apikey", "sessionid", "email", "signature"];

/// Last words of names whose value is about a secret, and not the secret: `token_type`, `session_count`, `phone_model`.
#[rustfmt::skip]
const ABOUT: &[&str] = &[
    "age", "brand", "campaign", "client", "consent", "count", "duration", "enabled", "expires", "expiry", "format",
    "frequency", "in", "length", "list", "method", "model", "newsletter", "optin", "provider", "required", "status",
    "strength", "subject", "template", "timeout", "ttl", "type", "variant", "verified", "version", "visible",
];

/// Words before `key` for a key that is not secret.
#[rustfmt::skip]
const PLAIN_KEYS: &[&str] = &[
    "cache", "category", "column", "facet", "field", "filter", "foreign", "group", "grouping", "i18n", "index", "item",
    "list", "lookup", "map", "menu", "object", "order", "page", "partition", "primary", "product", "public", "row",
    "search", "section", "sort", "tab", "tag", "translation", "widget",
];

/// Words before `code` for a secret code. Others (`promo_code`, `country_code`, `error_code`) are not secret.
#[rustfmt::skip]
const OPENING_CODES: &[&str] = &[
    "access", "activation", "auth", "backup", "card", "confirm", "confirmation", "device", "login", "mfa", "oauth",
    "one", "otp", "pass", "pin", "recovery", "reset", "secret", "security", "sms", "time", "user", "verification",
    "verify",
];

/// Words before `name` for the name of a person.
const PERSONS_NAMES: &[&str] =
    &["family", "first", "full", "given", "last", "maiden", "middle", "sur", "user"];

/// Words before a secret `pass` or `pin`, as opposed to a ski pass or a pin on a map. Both are secret alone, too.
const PASS_OF: &[&str] = &["admin", "card", "db", "login", "my", "new", "old", "user"];

/// Words before `number` and `no` for a number that identifies a person or an account.
const NUMBERED: &[&str] = &["mobile", "card", "account", "cc"];

/// Whether a parameter of this name has a secret or personal value. Names are compared word by word. A word ends at any
/// character that is no letter or digit, at a `camelCase` border, and before digits at its end. The name may be
/// percent-encoded.
pub fn secret_name(name: &str) -> bool {
    let mut buffer = [0u8; 128];
    let name = if name.contains('%') { decode_into(name.as_bytes(), &mut buffer) } else { name.as_bytes() };
    let (mut before, mut last) = (&b""[..], &b""[..]);
    let (mut secret, mut words) = (false, 0);
    for word in (Words { rest: name }) {
        words += 1;
        before = last;
        last = word;
        secret |= (may_be_secret(word) && listed(word, SECRET))
            || (may_end_secret(word) && SECRET_ENDS.iter().any(|end| ends_with(word, end)));
    }
    if secret {
        return words == 1 || !listed(last, ABOUT);
    }
    // `pin=`, `code=`, `key=` alone, or after a word of the lists.
    let alone = words == 1;
    let mut lower = [0; "response".len()];
    let Some(last_in_lower) = lower.get_mut(..last.len()) else { return false };
    last_in_lower.copy_from_slice(last);
    last_in_lower.make_ascii_lowercase();
    match &*last_in_lower {
        b"key" => alone || !listed(before, PLAIN_KEYS),
        b"code" => alone || listed(before, OPENING_CODES),
        b"pass" | b"pin" => alone || listed(before, PASS_OF),
        b"name" => listed(before, PERSONS_NAMES),
        b"number" | b"no" => listed(before, NUMBERED),
        b"hint" => listed(before, &["login"]),
        b"response" => listed(before, &["saml"]),
        _ => false,
    }
}

/// For each length, the first letters of the words of [`SECRET`] with this length, a bit each. This saves a hundred
/// comparisons for nearly every name.
const SECRET_BEGINS: [u32; 20] = {
    let mut begins = [0; 20];
    let mut i = 0;
    while i < SECRET.len() {
        let word = SECRET[i].as_bytes();
        begins[word.len()] |= 1 << (word[0] & 31);
        i += 1;
    }
    begins
};

fn may_be_secret(word: &[u8]) -> bool {
    SECRET_BEGINS.get(word.len()).is_some_and(|begins| begins & (1 << (word[0] & 31)) != 0)
}

/// The last letters of [`SECRET_ENDS`], a bit each.
const SECRET_LAST: u32 = {
    let (mut last, mut i) = (0, 0);
    while i < SECRET_ENDS.len() {
        let end = SECRET_ENDS[i].as_bytes();
        last |= 1 << (end[end.len() - 1] & 31);
        i += 1;
    }
    last
};

fn may_end_secret(word: &[u8]) -> bool {
    word.last().is_some_and(|last| SECRET_LAST & (1 << (last & 31)) != 0)
}

fn listed(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|w| w.len() == word.len() && w.as_bytes().eq_ignore_ascii_case(word))
}

fn ends_with(word: &[u8], end: &str) -> bool {
    word.len() > end.len() && word[word.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

/// Percent-decodes as much of a name as fits into the buffer.
fn decode_into<'b>(name: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let (mut from, mut to) = (0, 0);
    while let Some((c, taken)) = decoded(name, from) {
        let Some(slot) = buffer.get_mut(to) else { break };
        *slot = c;
        from += taken;
        to += 1;
    }
    &buffer[..to]
}

/// The words of a name.
struct Words<'n> {
    rest: &'n [u8],
}

impl<'n> Iterator for Words<'n> {
    type Item = &'n [u8];

    fn next(&mut self) -> Option<&'n [u8]> {
        let start = self.rest.iter().position(u8::is_ascii_alphanumeric)?;
        let rest = &self.rest[start..];
        let mut end = 1;
        while let Some(c) = rest.get(end).filter(|c| c.is_ascii_alphanumeric()) {
            let next_is_lower = rest.get(end + 1).is_some_and(u8::is_ascii_lowercase);
            let before = rest[end - 1];
            // accessToken, APIKey
            if c.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_lower))
            {
                break;
            }
            end += 1;
        }
        self.rest = &rest[end..];
        let word = &rest[..end];
        let digits = word.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        Some(if digits < word.len() { &word[..word.len() - digits] } else { word })
    }
}
