//! Converse: requests, answers, and streams in sound messages and damaged ones. The first byte says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::bedrock(input));
