//! What a provider signs: JSON Web Keys (RFC 7517), and the ID token (OpenID Connect Core 1.0, 3.1.3.7).
//!
//! The algorithm is one of four, each with keys of its own kind: neither `none` nor one whose key both sides have. Nothing of a
//! token is believed before its signature is verified, and nothing that a header names is fetched.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;
use subtle::ConstantTimeEq;

/// How far clocks may differ.
const SKEW: i64 = 60;

/// How old a token may be that is made for a code just now.
const AGE_MAX: i64 = 600;

/// The longest token.
const BYTES_MAX: usize = 16 << 10;

/// How many keys are kept.
const KEYS_MAX: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn of(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "PS256" => Algorithm::Ps256,
            "ES256" => Algorithm::Es256,
            // Of one curve, which the name of RFC 9864 says.
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone)]
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    public: Public,
}

impl Key {
    /// `None`: it is not one that verifies here.
    fn of(jwk: &Value) -> Option<Key> {
        let text = |name: &str| jwk[name].as_str();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let verifies = |all: &Value| all.as_array().is_none_or(|all| all.iter().any(|one| one == "verify"));
        if text("use").is_some_and(|used| used != "sig") || !verifies(&jwk["key_ops"]) {
            return None;
        }
        let public = match (text("kty")?, text("crv")) {
            ("RSA", None) => Public::Rsa { n: bytes("n")?, e: bytes("e")? },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                let is_point = x.len() == 32 && y.len() == 32;
                is_point.then(|| Public::P256([vec![4], x, y].concat()))?
            }
            ("OKP", Some("Ed25519")) => Public::Ed25519(bytes("x")?),
            _ => return None,
        };
        Some(Key { id: text("kid").map(str::to_owned), algorithm: text("alg").map(str::to_owned), public })
    }

    fn fits(&self, algorithm: Algorithm, name: &str, id: Option<&str>) -> bool {
        let is_kind = matches!(
            (&self.public, algorithm),
            (Public::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
                | (Public::P256(_), Algorithm::Es256)
                | (Public::Ed25519(_), Algorithm::EdDsa)
        );
        is_kind
            && self.algorithm.as_deref().is_none_or(|own| own == name)
            && id.is_none_or(|id| self.id.as_deref() == Some(id))
    }

    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let unparsed = |how: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key).verify(signed, signature)
        };
        let verified = match &self.public {
            Public::Rsa { n, e } => {
                let how = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }.verify(how, signed, signature)
            }
            Public::P256(key) => unparsed(&signature::ECDSA_P256_SHA256_FIXED, key),
            Public::Ed25519(key) => unparsed(&signature::ED25519, key),
        };
        verified.is_ok()
    }
}

/// The keys of a provider that verify.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// Those of a set that are of use here.
    pub(crate) fn of(set: &Value) -> Result<Keys, String> {
        let all = set["keys"].as_array().ok_or("the document of keys has no list `keys`")?;
        let keys: Vec<Key> = all.iter().filter_map(Key::of).take(KEYS_MAX).collect();
        match keys.is_empty() {
            true => Err("the provider has no key for RS256, PS256, ES256 or EdDSA".to_owned()),
            false => Ok(Keys(keys)),
        }
    }
}

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// Why a token is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// No key of the set can have signed it: the provider may have others by now.
    Key,
    /// What is wrong, in words that the token has no say in.
    Token(&'static str),
}

/// What a valid token says.
#[derive(Debug)]
pub(crate) struct Claims {
    /// What the provider calls the person.
    pub(crate) subject: String,
    /// All of it.
    pub(crate) all: Value,
}

/// What a token says, if it is valid.
pub(crate) fn verify(token: &str, keys: &Keys, expected: Expected<'_>) -> Result<Claims, Wrong> {
    let all = signed(token, keys)?;
    let text = |name: &str| all[name].as_str().unwrap_or_default();
    let number = |name: &str| all[name].as_f64();
    if text("iss") != expected.issuer {
        return Err(Wrong::Token("it is of another issuer"));
    }
    let audience = match &all["aud"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audience.contains(&expected.client_id) {
        return Err(Wrong::Token("it is for another client"));
    }
    let party = all.get("azp");
    if party.is_some_and(|party| party.as_str() != Some(expected.client_id))
        || (party.is_none() && audience.len() > 1)
    {
        return Err(Wrong::Token("it was given to another client"));
    }
    #[allow(clippy::cast_precision_loss)] // seconds
    let (now, skew, age) = (expected.now as f64, SKEW as f64, AGE_MAX as f64);
    match (number("exp"), number("iat")) {
        (Some(end), _) if end <= now - skew => return Err(Wrong::Token("it has expired")),
        (Some(_), Some(made)) if made > now + skew => {
            return Err(Wrong::Token("it is of the future: look at the clocks"));
        }
        (Some(_), Some(made)) if made < now - skew - age => return Err(Wrong::Token("it is an old one")),
        (Some(_), Some(_)) => {}
        _ => return Err(Wrong::Token("it does not say from when to when it is valid")),
    }
    if number("nbf").is_some_and(|from| from > now + skew) {
        return Err(Wrong::Token("it is not valid yet: look at the clocks"));
    }
    if !bool::from(text("nonce").as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(Wrong::Token("it was not made for this sign-in (nonce)"));
    }
    let subject = text("sub").to_owned();
    if subject.is_empty() || subject.len() > 255 || subject.contains('\0') {
        return Err(Wrong::Token("it names nobody (sub)"));
    }
    Ok(Claims { subject, all })
}

/// What is signed, once it is verified.
fn signed(token: &str, keys: &Keys) -> Result<Value, Wrong> {
    let malformed = Wrong::Token("it is no signed JSON Web Token");
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    let [header, payload, signature] = parts[..] else { return Err(malformed) };
    if token.len() > BYTES_MAX {
        return Err(Wrong::Token("it is too long"));
    }
    let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let (Some(head), Ok(signature)) = (json(header), URL_SAFE_NO_PAD.decode(signature)) else {
        return Err(malformed);
    };
    let name = head["alg"].as_str().unwrap_or_default();
    let Some(algorithm) = Algorithm::of(name) else {
        return Err(Wrong::Token("its algorithm is none of RS256, PS256, ES256 and EdDSA"));
    };
    if head.get("crit").is_some() {
        return Err(Wrong::Token("it asks for an extension (crit)"));
    }
    let id = head["kid"].as_str();
    let mut fitting = keys.0.iter().filter(|key| key.fits(algorithm, name, id)).peekable();
    if fitting.peek().is_none() {
        return Err(Wrong::Key);
    }
    let is_signed = |key: &Key| {
        key.verifies(algorithm, &token.as_bytes()[..header.len() + 1 + payload.len()], &signature)
    };
    match fitting.any(is_signed) {
        true => json(payload).filter(Value::is_object).ok_or(malformed),
        false => Err(Wrong::Token("its signature is not the provider's")),
    }
}

/// The e-mail address of the person, if the provider says that it is. Entra says so in `xms_edov`, and of no other provider
/// this member is asked for.
pub(crate) fn address<'c>(claims: &'c Value, issuer: &str) -> Option<&'c str> {
    let says_yes = |value: &Value| *value == true || *value == 1 || *value == "true" || *value == "1";
    let is_verified = match claims.get("email_verified") {
        Some(said) => *said == true || *said == "true",
        None => issuer.starts_with("https://login.microsoftonline.com/") && says_yes(&claims["xms_edov"]),
    };
    let email = claims["email"].as_str().filter(|_| is_verified)?;
    let (name, domain) = email.split_once('@')?;
    let is_plain = email.len() <= 200 && email.bytes().all(|b| b.is_ascii_graphic());
    (is_plain && !name.is_empty() && !domain.is_empty() && !domain.contains('@')).then_some(email)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const EXPECTED: Expected<'_> =
        Expected { issuer: "https://a.example", client_id: "alt", nonce: "n", now: NOW };

    fn claims() -> Value {
        json!({ "iss": "https://a.example", "aud": "alt", "sub": "7", "exp": NOW + 60, "iat": NOW, "nonce": "n" })
    }

    fn encoded(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    /// What signs as EdDSA, with its set of keys.
    fn signer() -> (impl Fn(&Value, &Value) -> String, Keys) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = Keys::of(&json!({ "keys": [
            { "kty": "RSA", "kid": "other", "n": "AQAB", "e": "AQAB" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x },
        ] }));
        let sign = move |head: &Value, claims: &Value| {
            let signed = format!("{}.{}", encoded(head), encoded(claims));
            let signature = pair.sign(signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        };
        (sign, keys.unwrap())
    }

    #[test]
    fn a_valid_token_is_believed_and_one_that_is_changed_anywhere_is_not() {
        let (sign, keys) = signer();
        let token = sign(&json!({ "alg": "EdDSA", "kid": "k" }), &claims());
        assert_eq!(verify(&token, &keys, EXPECTED).unwrap().subject, "7");
        assert!(verify(&sign(&json!({ "alg": "EdDSA" }), &claims()), &keys, EXPECTED).is_ok(), "no kid");
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert!(verify(std::str::from_utf8(&other).unwrap(), &keys, EXPECTED).is_err(), "{at}");
            assert!(verify(&token[..at], &keys, EXPECTED).is_err(), "{at}");
        }
        for odd in ["", "..", "...", &format!("{token}."), &format!("{token}="), &format!("{token}.{token}")]
        {
            assert!(verify(odd, &keys, EXPECTED).is_err(), "{odd}");
        }
        let long = json!({ "alg": "EdDSA", "kid": "k", "x": "y".repeat(BYTES_MAX) });
        assert_eq!(
            verify(&sign(&long, &claims()), &keys, EXPECTED).unwrap_err(),
            Wrong::Token("it is too long")
        );
    }

    #[test]
    fn es256_is_the_curve_s_own_form() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "e", "x": x, "y": y });
        let signed = format!("{}.{}", encoded(&json!({ "alg": "ES256", "kid": "e" })), encoded(&claims()));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(&random, signed.as_bytes()).unwrap().as_ref());
        let token = format!("{signed}.{signature}");
        let of = |jwk: &Value| Keys::of(&json!({ "keys": [jwk] }));
        assert!(verify(&token, &of(&jwk).unwrap(), EXPECTED).is_ok());
        // A key that is for something else, or for another algorithm, verifies nothing.
        for (name, value) in [("use", json!("enc")), ("key_ops", json!(["encrypt"])), ("alg", json!("ES384"))]
        {
            let mut other = jwk.clone();
            other[name] = value;
            let is_believed = of(&other).is_ok_and(|keys| verify(&token, &keys, EXPECTED).is_ok());
            assert!(!is_believed, "{name}");
        }
    }

    #[test]
    fn the_example_of_rfc_7515_for_rs256_is_verified() {
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let keys = Keys::of(&json!({ "keys": [{ "kty": "RSA", "n": n, "e": "AQAB" }] })).unwrap();
        assert_eq!(signed(token, &keys).unwrap()["iss"], "joe");
        let other =
            Keys::of(&json!({ "keys": [{ "kty": "RSA", "alg": "PS256", "n": n, "e": "AQAB" }] })).unwrap();
        assert_eq!(signed(token, &other).unwrap_err(), Wrong::Key);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (sign, keys) = signer();
        let of = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims();
            change(&mut claims);
            verify(&sign(&json!({ "alg": "EdDSA", "kid": "k" }), &claims), &keys, EXPECTED)
        };
        let cases: &[(&str, Value, bool)] = &[
            ("iss", json!("https://a.example/"), false),
            ("aud", json!("other"), false),
            ("aud", json!(["alt"]), true),
            ("aud", json!(["alt", "other"]), false),
            ("aud", json!([]), false),
            ("azp", json!("other"), false),
            ("azp", json!("alt"), true),
            ("azp", json!(null), false),
            ("exp", json!(NOW - 59), true),
            ("exp", json!(NOW - 60), false),
            ("exp", json!("later"), false),
            ("iat", json!(NOW + 60), true),
            ("iat", json!(NOW + 61), false),
            ("iat", json!(NOW - 660), true),
            ("iat", json!(NOW - 661), false),
            ("iat", json!(null), false),
            ("nbf", json!(NOW + 61), false),
            ("nonce", json!("m"), false),
            ("nonce", json!(null), false),
            ("sub", json!(""), false),
            ("sub", json!(7), false),
            ("sub", json!("x".repeat(256)), false),
        ];
        for (name, value, is_valid) in cases {
            assert_eq!(of(&|claims| claims[*name] = value.clone()).is_ok(), *is_valid, "{name}: {value}");
        }
        let both = |claims: &mut Value| {
            claims["aud"] = json!(["alt", "other"]);
            claims["azp"] = json!("alt");
        };
        assert!(of(&both).is_ok());
        for (head, wrong) in [
            (json!({ "alg": "none" }), None),
            (json!({ "alg": "HS256", "kid": "k" }), None),
            (json!({ "alg": "eddsa", "kid": "k" }), None),
            (json!({ "kid": "k" }), None),
            (json!({ "alg": "EdDSA", "kid": "k", "crit": ["exp"] }), None),
            (json!({ "alg": "EdDSA", "kid": "unknown" }), Some(Wrong::Key)),
            (json!({ "alg": "EdDSA", "kid": "other" }), Some(Wrong::Key)),
            (json!({ "alg": "RS256", "kid": "k" }), Some(Wrong::Key)),
        ] {
            let found = verify(&sign(&head, &claims()), &keys, EXPECTED).unwrap_err();
            assert!(wrong.is_none_or(|wrong| wrong == found), "{head}: {found:?}");
        }
    }

    #[test]
    fn an_address_is_the_person_s_only_if_the_provider_says_so() {
        let entra = "https://login.microsoftonline.com/0000/v2.0";
        let of = |more: Value, issuer: &str| {
            let mut claims = json!({ "email": "a@b.example" });
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            address(&claims, issuer).is_some()
        };
        for (more, issuer, expected) in [
            (json!({ "email_verified": true }), "https://a.example", true),
            (json!({ "email_verified": "true" }), "https://a.example", true),
            (json!({ "email_verified": false }), "https://a.example", false),
            (json!({ "email_verified": 1 }), "https://a.example", false),
            (json!({}), "https://a.example", false),
            (json!({ "xms_edov": true }), "https://a.example", false),
            (json!({ "xms_edov": true }), entra, true),
            (json!({ "xms_edov": "1" }), entra, true),
            (json!({ "xms_edov": false }), entra, false),
            (json!({ "xms_edov": true, "email_verified": false }), entra, false),
            (json!({}), entra, false),
            (json!({ "email": "a", "email_verified": true }), "https://a.example", false),
            (json!({ "email": "a@b.example@c.example", "email_verified": true }), "https://a.example", false),
            (json!({ "email": "@b.example", "email_verified": true }), "https://a.example", false),
            (json!({ "email": "a b@b.example", "email_verified": true }), "https://a.example", false),
            (json!({ "email": ["a@b.example"], "email_verified": true }), "https://a.example", false),
        ] {
            assert_eq!(of(more.clone(), issuer), expected, "{more} of {issuer}");
        }
    }
}
