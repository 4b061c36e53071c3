//! JSON: we read what serde_json reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::laws::json(input));
