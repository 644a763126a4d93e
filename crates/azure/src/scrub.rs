//! What a server says, without the secrets that it was shown: it may repeat them in an error, as they are or as it was sent them.

use secrecy::{ExposeSecret as _, SecretString};

/// What stands in a secret's place.
const HIDDEN: &str = "(a secret)";
/// A server may cut what it repeats: so many first bytes of a secret are one, too.
const TELLING: usize = 16;

/// Secrets that no text may show.
pub(crate) struct Scrub<'a> {
    secrets: Vec<&'a str>,
}

/// How a server may spell what it was shown.
#[derive(Clone, Copy)]
enum Spelling {
    /// As it is.
    Plain,
    /// As in an address or a form (RFC 3986, section 2.1; `+` for a space).
    Encoded,
    /// As in a JSON text (RFC 8259, section 7).
    Json,
}

impl<'a> Scrub<'a> {
    /// Hides these secrets, and each long part of a token of several (RFC 7515, section 7.1).
    pub(crate) fn of(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut all = Vec::new();
        for secret in secrets {
            let whole = secret.expose_secret();
            all.push(whole);
            all.extend(whole.split('.').skip(1).filter(|part| part.len() >= TELLING));
        }
        all.retain(|secret| !secret.is_empty());
        Self { secrets: all }
    }

    /// The first `most` characters of what is left of a text. It is cut last, or a secret over the cut would show its beginning.
    pub(crate) fn text(&self, text: &str, most: usize) -> String {
        let mut out = String::new();
        let (mut rest, mut kept) = (text, 0);
        while kept < most {
            let hidden = self.begins(rest);
            if hidden > 0 {
                out.push_str(HIDDEN);
                kept += HIDDEN.len();
                rest = (hidden..=rest.len()).find_map(|end| rest.get(end..)).unwrap_or_default();
                continue;
            }
            let mut chars = rest.chars();
            let Some(next) = chars.next() else { break };
            out.push(next);
            kept += 1;
            rest = chars.as_str();
        }
        out.chars().take(most).collect()
    }

    /// How many bytes a secret has with which the text begins.
    fn begins(&self, text: &str) -> usize {
        let spellings = [Spelling::Plain, Spelling::Encoded, Spelling::Json];
        let lengths = self.secrets.iter().flat_map(|secret| spellings.map(|s| s.common(text, secret)));
        lengths.max().unwrap_or_default()
    }
}

impl Spelling {
    /// How many bytes of the text spell the secret, or enough of its beginning.
    fn common(self, text: &str, secret: &str) -> usize {
        let (mut said, mut left) = (text.as_bytes(), secret.as_bytes());
        while let Some((spelled, meant)) = self.step(said, left) {
            said = said.get(spelled..).unwrap_or_default();
            left = left.get(meant..).unwrap_or_default();
        }
        let enough = left.is_empty() || secret.len() - left.len() >= TELLING;
        if enough { text.len() - said.len() } else { 0 }
    }

    /// The bytes of the text that spell the next bytes of the secret; none where they are others.
    fn step(self, text: &[u8], secret: &[u8]) -> Option<(usize, usize)> {
        let (first, wanted) = (*text.first()?, *secret.first()?);
        match (self, first) {
            (Self::Encoded, b'%') => (hex(text.get(1..3)?)? == u32::from(wanted)).then_some((3, 1)),
            (Self::Encoded, b'+') if wanted == b' ' => Some((1, 1)),
            (Self::Json, b'\\') => {
                let (spelled, meant) = match *text.get(1)? {
                    b'u' => (6, char::from_u32(hex(text.get(2..6)?)?)?),
                    b'n' => (2, '\n'),
                    b'r' => (2, '\r'),
                    b't' => (2, '\t'),
                    other => (2, char::from(other)),
                };
                let mut bytes = [0; 4];
                let meant = meant.encode_utf8(&mut bytes).as_bytes();
                secret.starts_with(meant).then_some((spelled, meant.len()))
            }
            _ => (first == wanted).then_some((1, 1)),
        }
    }
}

/// The number of these hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(secret: &str, text: &str, most: usize) -> String {
        Scrub::of([&SecretString::from(secret)]).text(text, most)
    }

    #[test]
    fn a_secret_is_hidden_in_each_spelling() {
        for (secret, said) in [
            ("S3CR+T/=&", "S3CR+T/=&"),
            ("S3CR+T/=&", "S3CR%2BT%2F%3D%26"),
            ("S3CR+T/=&", "S3CR%2bT%2f%3d%26"),
            ("S3CR+T/=&", "S3CR%2BT/%3D&"),
            ("a b~c", "a+b%7Ec"),
            ("a b~c", "a%20b~c"),
            ("100%25", "100%25"),
            ("100%25", "100%2525"),
            ("qu\"o/t\\e", r#"qu\"o\/t\\e"#),
            ("qu\"o/t\\e", r#"qu"o/t\e"#),
            ("b\\\\c", "b\\\\c"),
            ("a&\u{e9}z", r"a\u0026\u00e9z"),
            ("a&\u{e9}z", "a%26%C3%A9z"),
        ] {
            let text = format!("told: {said}, twice: {said}.");
            assert_eq!(scrubbed(secret, &text, 200), "told: (a secret), twice: (a secret).", "{said}");
        }
    }

    #[test]
    fn it_is_scrubbed_before_it_is_cut() {
        let text = format!("{}S3CR+T/=&", "x".repeat(20));
        for most in 0..40 {
            assert!(!scrubbed("S3CR+T/=&", &text, most).contains('S'), "{most}");
        }
        assert_eq!(scrubbed("S3CR+T/=&", &text, 24), format!("{}(a s", "x".repeat(20)));
    }

    #[test]
    fn a_token_that_a_server_cut_or_took_apart_is_hidden_too() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJhYmNkZWYifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
        assert_eq!(scrubbed(token, "of eyJhbGciOiJSUzI1NiJ9.eyJvaW…", 200), "of (a secret)…");
        assert_eq!(scrubbed(token, "bad c2lnbmF0dXJlLXNpZ25hdHVyZQ!", 200), "bad (a secret)!");
        assert_eq!(scrubbed("0123456789abcde\u{e9}", "0123456789abcde\u{ea}!", 200), "(a secret)!");
    }

    #[test]
    fn what_is_no_secret_stays() {
        let text = "50% of S3CR and eyJ, 100%zz \\u12 \\ \u{e9}";
        assert_eq!(scrubbed("S3CR+T/=&", text, 200), text);
        assert_eq!(scrubbed("", text, 200), text);
        assert_eq!(Scrub::of(None).text(text, 5), "50% o");
    }
}
