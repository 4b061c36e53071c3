//! Rankings: requests, and answers of every provider. The first byte says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::rerank(input));
