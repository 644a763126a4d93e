#![no_main]

#[path = "../src/oracles.rs"]
#[expect(dead_code, reason = "each target runs one of them")]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::bulk(data));
