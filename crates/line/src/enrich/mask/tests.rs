//! What is masked, and what must not be.

use super::value::holds_any;
use super::*;
use proptest::prelude::*;

mod table;

/// The text as `write` masks it.
fn after(text: &str, write: impl Fn(&str, &mut String) -> bool) -> String {
    let mut out = String::from("before ");
    let masked = write(text, &mut out);
    let rest = out.strip_prefix("before ").unwrap().to_owned();
    if masked {
        assert_ne!(rest, text, "said to be masked and was not");
        rest
    } else {
        assert_eq!(rest, "", "said not to be masked and wrote");
        text.to_owned()
    }
}

fn masked_query(text: &str) -> String {
    after(text, |text, out| query(text, Names::Secret, suspicious(text, true), out))
}

fn masked_value(text: &str) -> String {
    after(text, value)
}

#[test]
fn names_that_hold_a_secret_or_a_person() {
    #[rustfmt::skip]
    let secret = [
        "token", "TOKEN", "access_token", "accessToken", "access-token", "accesstoken", "id_token", "refresh_token",
        "usertoken", "csrf_token", "token2", "t.token", "user[token]", "user%5Btoken%5D", "X-Amz-Security-Token",
        "X-Amz-Signature", "X-Amz-Credential", "key", "api_key", "apikey", "apiKey", "APIKey", "x-api-key", "api%5Fkey",
        "private_key", "license_key", "stripe_key", "subscription-key", "auth", "Authorization", "oauth_verifier",
        "oauth2", "code", "auth_code", "authCode", "access_code", "verification_code", "reset_code", "otp_code",
        "sig", "signature", "hmac", "password", "passwd", "pwd", "pass", "user_pass", "new_password", "password2",
        "passwordConfirm", "reset-password-token", "secret", "client_secret", "clientSecret", "session", "session_id",
        "sessionid", "sessionID", "sid", "PHPSESSID", "jsessionid", "jwt", "otp", "pin", "cvv", "csrf", "xsrf-token",
        "nonce", "cookie", "SAMLResponse", "client_assertion", "code_verifier", "2fa", "email", "e-mail", "e_mail",
        "userEmail", "user_email", "useremail", "email_address", "emailAddress", "email1", "mail", "from_mail", "phone",
        "phone_number", "phoneNumber", "tel", "mobile_number", "msisdn", "first_name", "firstName", "firstname",
        "last_name", "surname", "full-name", "user_name", "username", "birthday", "date_of_birth", "dob", "iban", "ssn",
        "passport_no", "card_number", "cardnumber", "cc_number", "street", "address", "address2", "billing_address",
        "ip_address", "login_hint", "login_token", "page_token",
    ];
    for name in secret {
        assert!(secret_name(name), "{name} is to be masked");
    }
}

#[test]
fn names_that_must_not_be_masked() {
    #[rustfmt::skip]
    let plain = [
        "", "_", "%", "%5B%5D", "a", "q", "p", "id", "page", "category", "cat", "keyword", "keywords", "monkey", "keys",
        "hotkey", "turkey", "key_word", "sort_key", "sort[key]", "primary_key", "page_key", "group-key", "cacheKey",
        "postcode", "zipcode", "zip_code", "promo_code", "promocode", "coupon_code", "discountCode", "country_code",
        "lang_code", "currency_code", "error_code", "status_code", "product_code", "colorcode", "barcode", "codec",
        "decode", "encode", "author", "authors", "authority", "tokens", "max_tokens", "tokenize", "token_type",
        "session_count", "sessionDuration", "sessions", "secretary", "secretariat", "signal", "sign", "signup", "design",
        "assign", "sigma", "passenger", "passengers", "compass", "bypass", "season_pass", "ski_pass", "passport_type",
        "password_strength", "mailing", "mailing_list", "mailbox_size", "email_campaign", "email_template", "emailType",
        "newsletter", "phone_model", "phone_type", "smartphone", "headphone", "headphones", "iphone", "microphone",
        "mobile", "telegram", "hotel", "hotel_id", "telco", "name", "product_name", "event_name", "brand-name",
        "filename", "hostname", "pinned", "spin", "pin_color", "shipping", "opinion", "address_type", "addressable",
        "side", "sidebar", "inside", "asid", "classid", "residence", "user_id", "uid", "userid", "user", "state",
        "scope", "next", "redirect", "utm_source", "utm_campaign", "gclid", "fbclid", "ref", "order_no", "order_number",
        "model_number", "phoneme", "streets", "cart", "cardinal", "card_type", "birthplace", "cookies", "nonces",
        "auth_method", "auth_provider", "latitude", "version",
    ];
    for name in plain {
        assert!(!secret_name(name), "{name} must not be masked");
    }
}

#[test]
fn values_that_are_personal_or_secret() {
    #[rustfmt::skip]
    let table = [
        ("bob@example.com", "***"),
        ("Bob <bob.b+news@mail.example.co.uk>, hello", "Bob <***>, hello"),
        ("mail me at bob@example.com.", "mail me at ***."),
        ("bob%40example.com", "***"),
        ("bob%2Bnews%40example%2Ecom", "***"),
        ("bob%2540example.com", "***"),
        ("x%3Dbob%40example.com%26y", "x%3D***%26y"),
        ("jürgen@bücher.example", "***"),
        ("j%C3%BCrgen%40example.com", "***"),
        ("o'brien@example.ie", "***"),
        ("a@b.cc,c@d.ee", "***,***"),
        ("ünal@münchen.xn--p1ai", "***"),
        ("/u/bob@example.com/edit", "/u/***/edit"),
        ("bob@example.com-2024", "***-2024"),
        ("bob@example.com.2024", "***.2024"),
        ("bob@163.com", "***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "***"),
        ("/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl/x", "/reset/***/x"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "***"),
        ("eyJhbGciOiJSU0EifQ.a.b.c.d", "***"),
        ("4111111111111111", "***"),
        ("card 4111 1111 1111 1111!", "card ***!"),
        ("4111-1111-1111-1111", "***"),
        ("4111+1111+1111+1111", "***"),
        ("4111%201111%201111%201111", "***"),
        ("378282246310005", "***"),
        ("3782 822463 10005", "***"),
        ("5555555555554444", "***"),
        ("2223003122003222", "***"),
        ("6011111111111117", "***"),
        ("3530111333300000", "***"),
        ("4111 1111 1111 1111 12/27", "*** 12/27"),
        ("4111 1111 1111 1111 4111111111111111", "*** ***"),
        ("36700102000000", "***"),
        ("30569309025904", "***"),
        ("6304000000000000", "***"),
        ("x=4111111111111111&y", "x=***&y"),
    ];
    for (text, expect) in table {
        assert_eq!(masked_value(text), expect, "{text}");
    }
}

#[test]
fn values_that_must_not_be_masked() {
    #[rustfmt::skip]
    let plain = [
        "", "***", "@", "@@", "a@", "@bob", "https://social.example/@bob", "a@b", "bob@localhost", "bob at example.com",
        "/img/logo@2x.png", "icon@3x.webp", "/npm/vue@3.4.21/dist/vue.global.js", "react@18.js", "jquery@3.6.0.min.js", "a@b.", "a@.com", "pkg@1.2.3", "a@1.2.3.4",
        "/maps/@52.52,13.40,15z", "50%40", "%40", "%2540", "100%", "100% 40", "%4", "é@é",
        "eyJ", "eyJhbGciOiJIUzI1NiJ9", "eyJ.a.b", "heyJude.and.so.on?", "J", "eJ",
        "4111111111111112", // wrong check digit
        "1234567890123456", "0000000000000000", "9999999999999995", // no card number begins like this
        "1700000000000", "1700000000000000", "17000000000000", // milliseconds, microseconds
        "20240131123456", "4006381333931", "4012888888881", // a time; product numbers (EAN)
        "a4111111111111111", "4111111111111111b", "order4111111111111111", // part of a word
        "41111111111111111111", "411111111111111111", // too long
        "4111 1111 1111", "4111 11 11 1111 1111", "1 4111 1111",
        "%4111111111111111", // `%41` and fewer digits
        "550e8400-e29b-41d4-a716-446655440000", "00000000-4111-1111-1111-111111111111",
        "192.168.100.200", "52.5200066,13.4049540", "7102345678901234567", "ISBN 978-3-16-148410-0",
    ];
    for text in plain {
        assert_eq!(masked_value(text), text, "must not be masked");
    }
}

#[test]
fn queries() {
    #[rustfmt::skip]
    let table = [
        ("a=1&token=abc&b=2", "a=1&token=***&b=2"),
        ("token=abc", "token=***"),
        ("token=a=b=c&x", "token=***&x"),
        ("a=1;password=x;b=2", "a=1;password=***;b=2"),
        ("email=bob%40example.com&q=shoes", "email=***&q=shoes"),
        ("q=bob%40example.com+invoice", "q=***+invoice"),
        ("bob@example.com", "***"),
        ("bob@example.com=1", "***=1"),
        ("bob@example.com_token=1&c", "***_token=***&c"),
        ("u=/login?token=x", "u=/login?token=***"),
        ("next=%2Flogin%3Ftoken%3Dabc%26a%3Db&c=d", "next=%2Flogin%3Ftoken%3D***&c=d"),
        ("next=%252Flogin%253Ftoken%253Dabc", "next=%252Flogin%253Ftoken%253D***"),
        ("u=bob@example.com?key=1", "u=***?key=***"),
        ("to=https://bob:pw1234@example.com/", "to=https://bob:***/"),
        ("user[email]=b&user[name]=c&item[name]=d", "user[email]=***&user[name]=***&item[name]=d"),
        ("card=4111111111111111&n=1", "card=***&n=1"),
        ("&&token=x&", "&&token=***&"),
        ("token=%00", "token=***"),
        // A shop's pages, searches and campaigns must stay legible.
        ("category=2&sort_key=price&page=3", "category=2&sort_key=price&page=3"),
        ("q=how+to+reset+password&promo_code=SPRING", "q=how+to+reset+password&promo_code=SPRING"),
        ("utm_source=mail&utm_medium=email&gclid=EAIaIQobChMI", "utm_source=mail&utm_medium=email&gclid=EAIaIQobChMI"),
        ("url=https%3A%2F%2Fexample.com%2F%3Fpage%3D2", "url=https%3A%2F%2Fexample.com%2F%3Fpage%3D2"),
        ("token=&key", "token=&key"),
        ("token=***&a=b", "token=***&a=b"),
        ("token", "token"),
        ("=abc", "=abc"),
        ("order=1234567890123456", "order=1234567890123456"),
        ("a=%", "a=%"),
        ("", ""),
        ("&", "&"),
    ];
    for (text, expect) in table {
        assert_eq!(masked_query(text), expect, "{text}");
    }
}

#[test]
fn queries_with_a_list() {
    let list = ["category".to_owned(), "key".to_owned()];
    let masked = |text| {
        after(text, |text, out| {
            query(text, Names::Allow { list: &list, untracked: false }, suspicious(text, true), out)
        })
    };
    #[rustfmt::skip]
    let table = [
        ("category=2&x=3", "category=2&x=***"),
        ("key=abc", "key=abc"), // the list comes before the name
        ("category=bob@example.com", "category=***"), // but not before the value
        ("category=/a?token=b", "category=/a?token=***"),
        ("utm_source=a&UTM_medium=b&gclid=c", "utm_source=a&UTM_medium=b&gclid=***"),
        ("bare", "***"),
        ("category", "category"),
        ("Category=2", "Category=***"),
        ("x=&y=***", "x=&y=***"),
        ("", ""),
    ];
    for (text, expect) in table {
        assert_eq!(masked(text), expect, "{text}");
    }
}

#[test]
fn paths() {
    let masked = |text| after(text, |text, out| path(text, suspicious(text, true), out));
    #[rustfmt::skip]
    let table = [
        ("/u/bob%40example.com", "/u/***"),
        ("/cart;jsessionid=AB12/items", "/cart;jsessionid=***/items"),
        ("/cart;jsessionid=AB12;x=1", "/cart;jsessionid=***;x=1"),
        ("/bob@example.com;a=b", "/***;a=b"),
        ("/cart;color=red/items;size=1", "/cart;color=red/items;size=1"),
        ("/a;b;c", "/a;b;c"),
        (";", ";"),
        ("/token/abc", "/token/abc"),
        ("/reset-password", "/reset-password"),
        ("/order/1234567890123456", "/order/1234567890123456"),
        ("token=bob/00532 0130 00", "token=***/00532 0130 00"),
        ("token=***/00532 0130 00", "token=***/00532 0130 00"),
        ("bob@example.com/00532 0130 00", "***/***"),
        ("/", "/"),
    ];
    for (text, expect) in table {
        assert_eq!(masked(text), expect, "{text}");
    }
}

#[test]
fn json_texts() {
    #[rustfmt::skip]
    let table = [
        (r#"{"password":"x","a":1}"#, r#"{"password":"***","a":1}"#),
        (r#"{"a":{"b":[{"apiKey":{"deep":[1,2]}},2]}}"#, r#"{"a":{"b":[{"apiKey":"***"},2]}}"#),
        (r#"{"to":"bob@example.com"}"#, r#"{"to":"***"}"#),
        (r#"["bob\u0040example.com"]"#, r#"["***"]"#),
        (r#"{"e\u006dail":"x"}"#, r#"{"e\u006dail":"***"}"#),
        (r#"{"n":4111111111111111}"#, r#"{"n":"***"}"#),
        (r#"[ "say \"hi\" to bob@example.com" , 1 ]"#, r#"[ "say \"hi\" to ***" , 1 ]"#),
        (r#"{"token" : true , "x" : [] }"#, r#"{"token" : "***" , "x" : [] }"#),
        (r#"{"url":"/a?token=b"}"#, r#"{"url":"/a?token=***"}"#),
        (r#""bob@example.com""#, r#""***""#),
        (r#"4111111111111111"#, r#""***""#),
        (r#"{"token":null,"key":"","pin":"***"}"#, r#"{"token":null,"key":"","pin":"***"}"#),
        (r#"{"category":"token","list":["password",{"n":1.5e3}]}"#, r#"{"category":"token","list":["password",{"n":1.5e3}]}"#),
        (r#"{}"#, r#"{}"#),
        (r#"[[],{},"",0,null,true]"#, r#"[[],{},"",0,null,true]"#),
        // Not JSON: the walk ends early.
        (r#"{"a"#, r#"{"a"#),
        (r#"{"a":"\"#, r#"{"a":"\"#),
        ("{x}", "{x}"),
        ("[}", "[}"),
        ("", ""),
    ];
    for (text, expect) in table {
        assert_eq!(after(text, json), expect, "{text}");
    }
}

/// A mask that reaches to a value's end takes signs away that had made what is before it no token.
#[test]
fn a_mask_begins_where_what_stays_before_it_would_be_a_secret() {
    let text = |text: &str| after(text, text_value);
    assert_eq!(text(r#"/reset/"Ym9iQGV4YW1wbGUuY29ttoken":4111"#), "/reset/***");
    assert_eq!(text(r#"{"state":9f8a7b6c5d4e/reset/af0ifj0sl3dkj?x"#), r#"{"state":***"#);
    assert_eq!(text("a?state=9f8a7b6c5d4e/reset/af0ifj0sl3dkj?a b"), "a?state=***");
    assert_eq!(text("/reset/9f8a7b6c5d4e=x"), "/reset/***");
    assert_eq!(masked_query("state=9f8a7b6c5d4e/reset/af0ifj0sl3dkj?a b"), "state=***");
    assert_eq!(masked_query("next=9f8a7b6c5d4e?token=a b"), "next=9f8a7b6c5d4e?token=***");
    let path = |text: &str| after(text, |text, out| path(text, suspicious(text, true), out));
    assert_eq!(path("/reset/9f8a7b6c5d4e_token=x"), "/reset/***");
    let json = |text: &str| after(text, json);
    assert_eq!(json(r#"{"state":"9f8a7b6c5d4e-4111 1111 1111 1111"}"#), r#"{"state":"***"}"#);
    assert_eq!(json(r#"{"state":"af0ifj0sl3dkj\/x"}"#), r#"{"state":"***"}"#);
}

#[test]
fn a_mask_behind_many_values_that_might_be_tokens_is_found_in_time() {
    // In time that grows with the square of the text, this would take many minutes.
    let doubtful = "state=9f8a7b6c/x?".repeat(100_000);
    assert_eq!(after(&format!("{doubtful}token=a b"), text_value), format!("{doubtful}token=***"));
}

#[test]
fn identifiers_that_are_persons() {
    for id in ["bob@example.com", "user:bob@example.com", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"] {
        assert!(personal_id(id), "{id}");
    }
    for id in
        ["", "4111111111111111", "bob", "@bob", "550e8400-e29b-41d4-a716-446655440000", "123456789012345678"]
    {
        assert!(!personal_id(id), "{id}");
    }
}

#[test]
fn tokens_are_found_whatever_begins_like_one_before_them() {
    let long = format!("eyJ{}", "x".repeat(30));
    for (text, expect) in [
        // Too few parts, which contain the beginnings of others.
        (format!("eyJeyJ.eyJ {long}.a.b"), "eyJeyJ.eyJ ***".to_owned()),
        (format!("{long}.{long} {long}"), format!("*** {long}")),
        (format!("{long}.x{long}/{long}..x"), format!("{long}.x{long}/***")),
        // Too short, but long enough from the second part on.
        (format!("eyJ.eyJ.a.b.{}", "x".repeat(30)), "***".to_owned()),
        (format!("eyJ.eyJ.a.b.c.{}", "x".repeat(30)), "eyJ.***".to_owned()),
        (format!("eyJ@a.bc {long}.a.b"), "*** ***".to_owned()),
    ] {
        assert_eq!(after(&text, value), expect, "{text}");
    }
}

/// Text of pieces that masking looks for, which random text would hardly contain.
fn telling() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "@", "%40", "%2540", ".", "bob", "example.com", "eyJ", "eyJhbGciOiJIUzI1NiJ9", "4111111111111111",
            "4111 1111 1111 1111", "4111", "-", "+", "%20", "=", "%3D", "%253D", "&", "%26", ";", "?", "%3F", "#", "/",
            "token", "key", "email", "***", "*", "%", "%2", "é", "%C3%A9", "\"", "\\", "{", "}", "[", "]", ":", ",", "x--",
            "1", "a", "_", "'", " ", "%252540", "%2E", "(212) 555-0123", "+49 30", "DE89370400440532013000", "DE89 3704 0044 ",
            "0532 0130 00", "ghp_", "abcdefghij0123456789abcdefghij", "v4.local.", "Ym9iQGV4YW1wbGUuY29t", "626f6240612e6363",
            "/reset/", "state", "9f8a7b6c5d4e", "%3B", "[192.0.2.1]", "!", "|", "550e8400-e29b-41d4-a716-446655440000", "AKIA",
            "0", "00", "2", "123456789:AA", "tel:",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().replace('\0', "")) // a hit contains no NUL
}

/// Short text of the pieces that give a value its parts: parameters, members of JSON objects, and segments of paths.
fn nested() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["/", "?", "#", "&", ";", "=", ":", "\"", " ", ",", "!"]),
        2 => prop::sample::select(vec![
            "%2F", "%3F", "%23", "%26", "%3B", "%3D", "%3A", "%22", "%20", "%2C", "%21", "%253D", "%252F", "%2522", "%",
            "%2", "%2E", "%25",
        ]),
        2 => prop::sample::select(vec!["\":", "=\"", "/\"", "?a=", "\":\"", "{\"", "%22:", "%22%3A", "/?"]),
        4 => prop::sample::select(vec![
            "9f8a7b6c5d4e_token", "af0ifj0sl3dkjToken", "4111111111111111_key", "/reset", "/login/", "_token", "Key",
            "/reset/", "//", "token", "state", "key", "login", "9f8a7b6c5d4e", "af0ifj0sl3dkj", "Ym9iQGV4YW1wbGUuY29t",
            "4111111111111111", "483920", "a", "***", "*", "bob@example.com", "eyJhbGciOiJIUzI1NiJ9.", "{", "é", "1",
            "550e8400-e29b-41d4-a716-446655440000", "http", "-", "_", ".", "abcdefghijklmnopqrstuvwxyz",
        ]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// At least 10,000 cases of a random test; more with `PROPTEST_CASES`.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(10_000), ..config }
}

/// What masks a text.
type Write<'w> = &'w dyn Fn(&str, &mut String) -> bool;

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn masking_is_idempotent(text in prop_oneof![telling(), nested()]) {
        after(&text, json); // any text, JSON or not
        let list = ["key".to_owned()];
        let listed = Names::Allow { list: &list, untracked: false };
        let masked_path = |text: &str, out: &mut String| path(text, suspicious(text, true), out);
        let secret = |text: &str, out: &mut String| query(text, Names::Secret, suspicious(text, true), out);
        let allowed = |text: &str, out: &mut String| query(text, listed, suspicious(text, true), out);
        let writers: [(&str, Write<'_>); 6] = [
            ("value", &value), ("id_value", &id_value), ("text_value", &text_value), ("path", &masked_path),
            ("query", &secret), ("listed", &allowed),
        ];
        for (name, write) in writers {
            let once = after(&text, write);
            prop_assert_eq!(after(&once, write), once, "{}", name);
        }
        let once = after(&serde_json::json!({"state": text}).to_string(), json);
        prop_assert_eq!(after(&once, json), once, "json");
    }

    #[test]
    fn the_quick_look_misses_nothing(text in telling()) {
        prop_assert_eq!(suspicious(&text, true) && holds_any(&text, true), holds_any(&text, true));
        prop_assert_eq!(suspicious(&text, false) && holds_any(&text, false), holds_any(&text, false));
    }

    #[test]
    fn json_stays_json(pairs in prop::collection::vec((telling(), telling()), 0..4)) {
        let object: serde_json::Map<String, serde_json::Value> =
            pairs.into_iter().map(|(k, v)| (k, serde_json::json!([v, {"token": v}, 1.5]))).collect();
        let text = serde_json::Value::Object(object).to_string();
        let masked = after(&text, json);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{} became {}", text, masked);
        prop_assert_eq!(after(&masked, json), masked);
    }
}
