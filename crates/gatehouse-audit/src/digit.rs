//! Single digits as the bytes that stand for them, for numbers and moments that are written in place.

/// The last decimal digit of a number.
pub(crate) fn decimal_digit(value: u64) -> u8 {
    b'0' + u8::try_from(value % 10).unwrap_or_default()
}

/// A number below sixteen as a lower-case hexadecimal digit.
pub(crate) fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}
