//! Cohere chat: requests, answers and streams, read, edited, and written in every dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::dialect("cohere", input));
