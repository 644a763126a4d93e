//! Where an Entra access token comes from: a file that somebody keeps fresh, or a command that prints one.
//!
//! Errors name the file or the command and never what was read.

mod command;
mod file;
mod jwt;

pub use command::TokenCommand;
pub use file::TokenFile;

use axon_reconcile::target::TokenError;
use secrecy::SecretString;

/// The longest token that is taken. Those with many groups have some kilobytes.
const MOST_BYTES: usize = 64 * 1024;

/// The one line in `bytes`, if it can be a token. `from` names where it is from.
fn token_in(mut bytes: Vec<u8>, from: &str) -> Result<SecretString, TokenError> {
    let trimmed = bytes.trim_ascii();
    let result = if trimmed.is_empty() {
        Err(TokenError(format!("{from} gave nothing")))
    } else if trimmed.len() > MOST_BYTES {
        Err(TokenError(format!("{from} gave more than {MOST_BYTES} bytes, which is no token")))
    } else if let Some(text) =
        std::str::from_utf8(trimmed).ok().filter(|text| text.bytes().all(|b| b.is_ascii_graphic()))
    {
        Ok(SecretString::from(text))
    } else {
        Err(TokenError(format!("{from} gave something that is not one line of token characters")))
    };
    bytes.fill(0);
    result
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_is_one_line_of_graphic_characters() {
        let ok = token_in(b"  abc.def.ghi\r\n".to_vec(), "x").unwrap();
        assert_eq!(ok.expose_secret(), "abc.def.ghi");
        for bad in [
            &b""[..],
            b" \n",
            b"two words",
            b"s3cret\nline",
            "s3cr\u{e9}t".as_bytes(),
            b"\xff\xfe",
            "a".repeat(70_000).as_bytes(),
        ] {
            let error = token_in(bad.to_vec(), "the file /run/t").unwrap_err().to_string();
            assert!(error.starts_with("the file /run/t gave"), "{error}");
            assert!(!error.contains("s3cr"), "{error}");
        }
    }
}
