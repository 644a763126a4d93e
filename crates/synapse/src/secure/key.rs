//! Keys of masks: drawn here, sent as a parameter, and never read. What is read of them is a digest that the pool makes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use axon_model::SqlName;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, view_query::KEY_MARK, view_query::KEY_MARK_DIGITS};

/// Bytes of a mask's key.
const KEY_BYTES: usize = 32;

/// Keys that were drawn and are not made yet, by id.
#[derive(Clone, Default)]
pub(crate) struct DrawnKeys(Arc<Mutex<BTreeMap<String, SecretString>>>);

impl DrawnKeys {
    /// Draws the key that is made next under this id, and gives the digest that the pool will show of it.
    pub(crate) fn draw(&self, id: &str) -> Option<String> {
        let key = random_key().ok()?;
        let mark = mark_of(id, &key);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), key);
        Some(mark)
    }

    fn take(&self, id: &str) -> Option<SecretString> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

/// Makes a key: the one that was drawn for it, if one was. It is in no text: what is sent has a parameter for it.
pub(crate) async fn make_key(
    session: &mut Session<'_>,
    drawn: &DrawnKeys,
    schema: SqlName,
    id: &str,
    sent: &mut Vec<String>,
) -> Result<(), CallError> {
    let statement = render::create_key(schema);
    sent.push(render::key_recorded(schema, id));
    let key = match drawn.take(id) {
        Some(key) => key,
        None => random_key()?,
    };
    session.run_with(&statement, id, &key).await
}

/// The digest of a key as [`render::view_query::metadata`] asks for it.
fn mark_of(id: &str, key: &SecretString) -> String {
    let text = format!("{KEY_MARK}{id}{}", key.expose_secret());
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut mark = hex(&Sha256::digest(bytes)).to_uppercase();
    mark.truncate(KEY_MARK_DIGITS);
    mark
}

fn random_key() -> Result<SecretString, CallError> {
    let mut bytes = [0_u8; KEY_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CallError::Unreachable("this machine has no random numbers".into()))?;
    Ok(SecretString::from(hex(&bytes)))
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_key_is_made_once_and_its_digest_is_of_utf_16() {
        let drawn = DrawnKeys::default();
        let first = drawn.draw("sales.orders.mail").unwrap();
        let second = drawn.draw("sales.orders.mail").unwrap();
        assert_ne!(first, second);
        let key = drawn.take("sales.orders.mail").unwrap();
        assert_eq!(mark_of("sales.orders.mail", &key), second, "the last one that was drawn");
        assert!(drawn.take("sales.orders.mail").is_none());
        // LEFT(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', N'axon.mask-keya1'), 2), 32)
        assert_eq!(mark_of("a", &SecretString::from("1")), "FC6464CE2FD7D01842DC79E62F1C431C");
    }
}
