//! A token that was changed anywhere proves nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::stage::Stage;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ {}\"\0\xc3";

#[test]
fn a_mutated_token_is_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stage = runtime.block_on(Stage::start());
    let good = stage.key.sign(&stage.claims());
    let other = stage.key.sign(&stage.claims_but(serde_json::json!({"aud": "api://other"})));
    assert_eq!(runtime.block_on(stage.refusal(&good)), None);
    let edit = (any::<prop::sample::Index>(), 0..4_u8, 0..ALPHABET.len());
    let mut runner = TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(edit, 1..4), |edits| {
            let mut bytes = good.clone().into_bytes();
            for (at, how, letter) in edits {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = ALPHABET[letter],
                    1 => bytes.insert(at, ALPHABET[letter]),
                    2 => {
                        bytes.remove(at);
                    }
                    // A piece of another token that the same key signed.
                    _ => bytes.splice(at.., other.bytes().skip(at)).for_each(drop),
                }
            }
            let mutated = String::from_utf8_lossy(&bytes).into_owned();
            prop_assume!(mutated != good);
            prop_assert!(runtime.block_on(stage.refusal(&mutated)).is_some(), "{mutated}");
            Ok(())
        })
        .unwrap();
}
