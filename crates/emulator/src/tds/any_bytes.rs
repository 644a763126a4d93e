//! Property tests: whatever comes in, parsing ends in a value or an error.

use proptest::collection::vec;
use proptest::prelude::*;

use super::packet::{Assembler, PacketType, split};
use super::reader::Reader;
use super::version::TdsVersion;
use super::{bulk, login7, param, param_definition, prelogin, request, rpc};

const VERSIONS: [TdsVersion; 3] = [TdsVersion::V7_1, TdsVersion::V7_2, TdsVersion::V7_4];

/// A number of a type that parameters may have, so that noise gets past the first byte.
fn type_number() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![
        0x22_u8, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2D, 0x2F, 0x30, 0x37, 0x3A, 0x3B,
        0x3C, 0x3D, 0x3E, 0x3F, 0x63, 0x68, 0x6A, 0x6C, 0x6D, 0x6E, 0x6F, 0x7A, 0x7F, 0xA5, 0xA7, 0xAD, 0xAF,
        0xE7, 0xEF, 0xF1,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn messages_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = prelogin::parse(&bytes);
        let _ = login7::parse(&bytes);
        for version in VERSIONS {
            let _ = request::batch(&bytes, version);
            let _ = request::transaction(&bytes, version);
            let _ = rpc::parse(&bytes, version);
            let _ = bulk::parse(&bytes, version);
        }
    }

    #[test]
    fn bulk_loads_never_panic(number in type_number(), bytes in vec(any::<u8>(), 0..80)) {
        let body = [&[0x81, 1, 0, 0, 0, 0, 0, 9, 0, number], &bytes[..]].concat();
        let _ = bulk::parse(&body, TdsVersion::V7_4);
    }

    #[test]
    fn parameters_never_panic(number in type_number(), bytes in vec(any::<u8>(), 0..80)) {
        let body = [&[number], &bytes[..]].concat();
        let _ = param::typed_value(&mut Reader::new(&body));
    }

    #[test]
    fn login_records_of_the_right_length_never_panic(mut bytes in vec(any::<u8>(), 86..300)) {
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        let _ = login7::parse(&bytes);
    }

    #[test]
    fn parameter_lists_never_panic(text in "[@a-z0-9(), ]{0,60}") {
        param_definition::parse(&text);
    }

    #[test]
    fn packets_never_panic_and_never_exceed_the_limit(chunks in vec(vec(any::<u8>(), 0..60), 0..20)) {
        let mut assembler = Assembler::new(100);
        for chunk in chunks {
            assembler.input().extend_from_slice(&chunk);
            match assembler.next() {
                Ok(Some(message)) => prop_assert!(message.body.len() <= 100),
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }

    #[test]
    fn any_message_comes_together_from_any_packets(
        body in vec(any::<u8>(), 0..5000),
        size in 512_usize..2000,
        read in 1_usize..700,
    ) {
        let mut assembler = Assembler::new(5000);
        let mut found = None;
        for chunk in split(PacketType::Rpc, 1, &body, size, true).chunks(read) {
            prop_assert!(found.is_none());
            assembler.input().extend_from_slice(chunk);
            found = assembler.next().unwrap();
        }
        prop_assert_eq!(found.map(|message| message.body), Some(body));
    }
}
