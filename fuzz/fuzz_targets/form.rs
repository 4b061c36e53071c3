//! Forms with files: the same parts wherever the network cuts. The first byte is the size of the pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    gatehouse_fuzz::with_number(input, |bytes, cut| gatehouse_fuzz::laws::form(bytes, usize::from(cut)));
});
