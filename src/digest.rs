//! SHA-256 digests of images.

use std::fmt;
use std::str::FromStr;

/// A SHA-256 digest. Parsed from 64 hexadecimal digits of either case, displayed in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// The text is not a SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDigest;

impl Digest {
    /// The form that libraries use in responses and in place of a tag: `sha256.<hex>`.
    pub fn name(&self) -> String {
        format!("sha256.{self}")
    }

    /// Parses the form of [`Digest::name`].
    pub fn from_name(text: &str) -> Option<Self> {
        text.strip_prefix("sha256.")?.parse().ok()
    }
}

impl From<ring::digest::Digest> for Digest {
    fn from(found: ring::digest::Digest) -> Self {
        Self(found.as_ref().try_into().expect("32 bytes"))
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        // `from_str_radix` also accepts a sign.
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NoDigest);
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NoDigest)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_64_hexadecimal_digits() {
        let small = "0a".repeat(32);
        let digest: Digest = small.to_uppercase().parse().unwrap();
        assert_eq!(digest.to_string(), small);
        assert_eq!(Digest::from_name(&digest.name()), Some(digest));
        for wrong in
            ["", "00", &small[1..], &format!("{small}0"), &format!("+{}", &small[1..]), &"ä".repeat(32)]
        {
            assert_eq!(wrong.parse::<Digest>(), Err(NoDigest), "{wrong:?}");
        }
        assert_eq!(Digest::from_name(&small), None);
    }
}
