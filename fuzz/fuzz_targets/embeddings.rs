//! Embeddings of OpenAI and of Gemini: requests and answers. The first byte says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::embeddings(input));
