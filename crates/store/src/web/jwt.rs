//! JSON Web Tokens (RFC 7519), for programs that take no other ones: a token is exchanged for one that is valid for a quarter
//! of an hour. The token is looked up with each request, so that it may do what the token may do now, and nothing once the
//! token is revoked.
//!
//! There is one algorithm, HMAC-SHA-256. The header of what is given is never asked which one it is.

use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::caller::{self, Caller, Kind};
use super::sealing::{self, Sealing};

/// How long it is valid.
pub const VALID: Duration = Duration::from_secs(900);

/// The most bytes that one of ours has.
pub const BYTES_MAX: usize = 600;

/// How long a key signs. It verifies for an hour longer, in which what it signed ends.
const KEY_DAYS: i32 = 30;

/// Held while a key is made, so that two processes do not make one each ("alt jwtk").
const LOCK: i64 = 0x616c_7420_6a77_746b;

const ISSUER: &str = "alt";

/// What it says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// Key of the token.
    sub: String,
    /// Which token it is, since keys of tokens come again where a database is restored from a backup.
    tok: String,
    jti: String,
    iat: i64,
    exp: i64,
}

struct Key {
    id: i32,
    secret: Vec<u8>,
}

impl Key {
    /// `None`: it is sealed, and cannot be opened.
    fn of(row: &Row, sealing: &Sealing) -> Option<Key> {
        let secret = sealing.reveal(sealing::Kind::Signing, row.get(1)).ok()?;
        Some(Key { id: row.get(0), secret })
    }

    fn mac(&self, signed: &str) -> anyhow::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).context("a key of HMAC-SHA-256")?;
        mac.update(signed.as_bytes());
        Ok(mac)
    }

    fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{}"}}"#, self.id);
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(serde_json::to_string(claims)?)
        );
        let signature = self.mac(&signed)?.finalize().into_bytes();
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// What it says, if this key has signed it. The comparison takes the same time wherever they differ.
    fn verify(&self, given: &str) -> Option<Claims> {
        let (signed, signature) = given.rsplit_once('.')?;
        let (_, claims) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(signed).ok()?.verify_slice(&signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

/// Whether a secret has the form of a JSON Web Token: three parts.
#[must_use]
pub fn is_like(secret: &str) -> bool {
    secret.len() <= BYTES_MAX && secret.bytes().filter(|b| *b == b'.').count() == 2
}

/// Which token a hash is of. It says nothing of the token's secret.
fn which(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest([b"alt jwt".as_slice(), hash].concat())[..12])
}

/// What is given in exchange for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchanged {
    /// This.
    Given(String),
    /// Nothing: the token is gone.
    NoToken,
    /// Nothing: there is no key that seals what would sign it.
    NoKey,
}

/// Gives one in exchange for the token of a caller. Runs within a transaction.
///
/// # Errors
/// The database does not do it, or the system gives no random bytes.
pub async fn exchange(client: &Client, caller: &Caller, sealing: &Sealing) -> anyhow::Result<Exchanged> {
    let Some(hash) = hash_of(client, caller.id).await? else { return Ok(Exchanged::NoToken) };
    let Some(key) = key(client, sealing).await? else { return Ok(Exchanged::NoKey) };
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
    let now = now(client).await?;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: caller.id.to_string(),
        tok: which(&hash),
        jti: URL_SAFE_NO_PAD.encode(random),
        iat: now,
        exp: now + i64::try_from(VALID.as_secs())?,
    };
    key.sign(&claims).map(Exchanged::Given)
}

/// Who was given this. `None`: nobody; or it is no longer valid; or its token is not.
///
/// # Errors
/// The database cannot be asked.
pub async fn find(client: &Client, given: &str, sealing: &Sealing) -> anyhow::Result<Option<Caller>> {
    let sql = "SELECT id, secret, extract(epoch FROM now())::bigint FROM web_keys \
               WHERE created_at > now() - $1 * interval '1 day' - interval '1 hour'";
    let keys = client.query_typed(sql, &[(&KEY_DAYS, Type::INT4)]).await.context("read the keys")?;
    let is_valid = |row: &Row| {
        let now: i64 = row.get(2);
        let claims = Key::of(row, sealing)?.verify(given)?;
        let is_ours = claims.iss == ISSUER && claims.exp > now;
        Some((claims.sub.parse::<i32>().ok().filter(|_| is_ours)?, claims.tok))
    };
    let Some((id, token)) = keys.iter().find_map(is_valid) else { return Ok(None) };
    let Some(hash) = hash_of(client, id).await?.filter(|hash| which(hash) == token) else {
        return Ok(None);
    };
    caller::of(client, &hash, Kind::Jwt).await
}

/// Seconds since 1970 by the clock that all processes share.
async fn now(client: &Client) -> anyhow::Result<i64> {
    let sql = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    Ok(client.query_typed_one(sql, &[]).await.context("read the time")?.get(0))
}

async fn hash_of(client: &Client, id: i32) -> anyhow::Result<Option<Vec<u8>>> {
    let sql = "SELECT secret FROM web_tokens WHERE id = $1";
    let row = client.query_typed_opt(sql, &[(&id, Type::INT4)]).await.context("look the token up")?;
    Ok(row.map(|row| row.get(0)))
}

/// The key that signs now. A new one is made every [`KEY_DAYS`] days, and those that verify nothing any more are deleted.
/// `None`: there is none, and none that would seal a new one.
async fn key(client: &Client, sealing: &Sealing) -> anyhow::Result<Option<Key>> {
    if let Some(key) = newest(client, sealing).await? {
        return Ok(Some(key));
    }
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    if let Some(key) = newest(client, sealing).await? {
        return Ok(Some(key));
    }
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
    let Some(sealed) = sealing.seal(sealing::Kind::Signing, &random)? else { return Ok(None) };
    let old = "DELETE FROM web_keys WHERE created_at <= now() - $1 * interval '1 day' - interval '1 hour'";
    client.execute_typed(old, &[(&KEY_DAYS, Type::INT4)]).await.context("delete old keys")?;
    let new = "INSERT INTO web_keys (secret) VALUES ($1) RETURNING id";
    let row = client.query_typed_one(new, &[(&sealed, Type::BYTEA)]).await.context("make a key")?;
    Ok(Some(Key { id: row.get(0), secret: random.to_vec() }))
}

/// The newest key that signs and can be opened.
async fn newest(client: &Client, sealing: &Sealing) -> anyhow::Result<Option<Key>> {
    let sql = "SELECT id, secret FROM web_keys WHERE created_at > now() - $1 * interval '1 day' \
               ORDER BY created_at DESC, id DESC";
    let rows = client.query_typed(sql, &[(&KEY_DAYS, Type::INT4)]).await.context("read the keys")?;
    Ok(rows.iter().find_map(|row| Key::of(row, sealing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let text = |text: &str| text.to_owned();
        Claims { iss: text("alt"), sub: text("7"), tok: text("t"), jti: text("j"), iat: 1, exp: 2 }
    }

    #[test]
    fn what_a_key_has_signed_is_what_it_verifies() {
        let key = Key { id: 1, secret: vec![7; 32] };
        let signed = key.sign(&claims()).unwrap();
        assert!(is_like(&signed) && signed.len() < BYTES_MAX / 2, "{signed}");
        assert_eq!(key.verify(&signed), Some(claims()));
        assert_eq!(Key { id: 1, secret: vec![8; 32] }.verify(&signed), None);
        // The example of RFC 7515, A.1.1, whose claims are others.
        let rfc = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                   cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let known = Key { id: 1, secret: URL_SAFE_NO_PAD.decode(secret).unwrap() };
        let (head, signature) = rfc.rsplit_once('.').unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(known.mac(head).unwrap().finalize().into_bytes()), signature);
        assert_eq!(known.verify(rfc), None);
    }

    #[test]
    fn what_is_changed_in_one_place_is_nothing() {
        let key = Key { id: 1, secret: vec![7; 32] };
        let signed = key.sign(&claims()).unwrap();
        for at in 0..signed.len() {
            let mut other = signed.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.verify(std::str::from_utf8(&other).unwrap()), None, "{at}");
            assert_eq!(key.verify(&signed[..at]), None, "{at}");
        }
        let parts: Vec<&str> = signed.split('.').collect();
        // The algorithm "none", and others (RFC 8725, 2.1).
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS512"}"#, ""] {
            let header = URL_SAFE_NO_PAD.encode(header);
            for signature in ["", parts[2]] {
                assert_eq!(key.verify(&format!("{header}.{}.{signature}", parts[1])), None);
            }
        }
        for odd in
            ["", ".", "..", "...", "a.b.c", &format!("{signed}."), &format!("{signed}="), &signed.repeat(2)]
        {
            assert_eq!(key.verify(odd), None, "{odd}");
        }
    }
}
