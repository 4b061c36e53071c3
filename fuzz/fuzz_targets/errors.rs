//! Errors of providers: any body is an error with a message. The first byte picks the status.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    gatehouse_fuzz::with_number(input, |bytes, number| {
        gatehouse_fuzz::laws::error(bytes, 400 + u16::from(number));
    });
});
