//! Operations that are not translated: requests and answers of moderation, images and audio.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::laws::native(input));
