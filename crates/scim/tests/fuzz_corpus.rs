//! What fuzzing found and kept, replayed: each input of `fuzz/corpus` and `fuzz/seeds` against the laws of `fuzz/src/oracles.rs`.

#[path = "../../../fuzz/src/oracles.rs"]
mod oracles;

use serde_json::Value;

/// The inputs of a target: a line each, a text, or `{"bytes": …}` with a character for each byte.
fn inputs(folder: &str, target: &str) -> Vec<Vec<u8>> {
    let file = format!("{}/../../fuzz/{folder}/{target}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let read = |line: &str| match serde_json::from_str(line).unwrap_or_else(|e| panic!("{file}: {e}: {line}"))
    {
        Value::String(text) => text.into_bytes(),
        Value::Object(map) => {
            let bytes = map["bytes"].as_str().expect("bytes");
            bytes.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect()
        }
        other => panic!("{file}: {other}"),
    };
    // Not `lines`: an input may hold what Unicode calls the end of one.
    text.split('\n').filter(|line| !line.is_empty()).map(read).collect()
}

fn replay(target: &str, law: fn(&[u8])) {
    let kept = inputs("corpus", target);
    assert!(kept.len() >= 50, "{target}: {} inputs", kept.len());
    for input in kept.into_iter().chain(inputs("seeds", target)) {
        law(&input);
        // And what a connection that breaks leaves of it.
        law(&input[..input.len() / 2]);
    }
}

#[test]
fn filters_keep_their_laws() {
    replay("filter", oracles::filter);
}

#[test]
fn paths_keep_their_laws() {
    replay("path", oracles::path);
}

#[test]
fn patches_keep_their_laws() {
    replay("patch", oracles::patch);
}

#[test]
fn bodies_keep_their_laws() {
    replay("body", oracles::body);
}

#[test]
fn bulk_requests_keep_their_laws() {
    replay("bulk", oracles::bulk);
}
