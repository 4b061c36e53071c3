//! Events of realtime sessions, of either side.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::laws::realtime(input));
