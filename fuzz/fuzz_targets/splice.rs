//! Edits of bodies: splicing does what replacing piece by piece does.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::laws::edits(input));
