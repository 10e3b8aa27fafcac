//! The second factor: codes of RFC 6238 (HMAC-SHA-1, six digits, steps of 30 seconds), which every authenticator app makes.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Seconds of a step.
const STEP: i64 = 30;

/// Bytes of a secret (RFC 4226, 4: at least 128 bits, 160 are recommended).
const SECRET_BYTES: usize = 20;

/// A new secret.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn new_secret() -> anyhow::Result<[u8; SECRET_BYTES]> {
    let mut secret = [0u8; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
    Ok(secret)
}

/// The code of a step (RFC 4226, 5.3).
fn code(secret: &[u8], step: i64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest.last()? & 15);
    let four: [u8; 4] = digest.get(at..at + 4)?.try_into().ok()?;
    Some(format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000))
}

/// The step of a code at a time (seconds since 1970): this one, the one before or the one behind it, for clocks that differ.
/// `None`: it is the code of none of them.
pub(crate) fn step_of(secret: &[u8], given: &str, now: i64) -> Option<i64> {
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    let this = now.div_euclid(STEP);
    let mut found = None;
    for step in [this - 1, this, this + 1] {
        let code = code(secret, step)?;
        if bool::from(code.as_bytes().ct_eq(given.as_bytes())) {
            found = Some(step);
        }
    }
    found
}

/// A secret as authenticator apps take it: base32 (RFC 4648) without padding.
pub(crate) fn base32(secret: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut bits, mut count) = (String::new(), 0_u32, 0);
    for byte in secret {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(LETTERS[(bits >> count & 31) as usize]));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        text.push(char::from(LETTERS[(bits << (5 - count) & 31) as usize]));
    }
    text
}

/// The address by which an authenticator app is set up.
pub(crate) fn address(secret: &[u8], name: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("otpauth://totp/alt:{}?secret={}&issuer=alt", name.replace('+', "%20"), base32(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six digits.
        let secret = b"12345678901234567890";
        for (at, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(secret, at / STEP).unwrap(), expected, "{at}");
            assert_eq!(step_of(secret, expected, at), Some(at / STEP));
            assert_eq!(
                step_of(secret, &format!("{} {}", &expected[..3], &expected[3..]), at + STEP),
                Some(at / STEP)
            );
            assert_eq!(step_of(secret, expected, at + 2 * STEP), None);
        }
        assert_eq!(step_of(secret, "", 59), None);
        assert_eq!(base32(secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(base32(b"foob"), "MZXW6YQ");
    }
}
